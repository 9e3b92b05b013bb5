const list = document.getElementById("reports");
const status = document.getElementById("status");

async function show() {
  const { total, reports } = await (await fetch("/api/reports?limit=100")).json();
  status.textContent = `${total} reports`;
  list.replaceChildren(...reports.map((report) => {
    const item = document.createElement("li");
    item.textContent = [report.type, report.model, report.sessionLabel, report.asked, report.answered].filter(Boolean).join(" · ");
    return item;
  }));
}

const events = new EventSource("/api/events");
for (const name of ["hello", "report", "removed", "resync"]) events.addEventListener(name, show);
