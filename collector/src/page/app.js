// Draws what the API gives. Text of reports only ever becomes text nodes.
const $ = id => document.getElementById(id);
const HIDDEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const visible = text => `${text}`.replace(HIDDEN, c => {
  const n = c.codePointAt();
  return n < 32 ? String.fromCharCode(9216 + n) : n === 127 ? '␡' : `⟨U+${n.toString(16).toUpperCase().padStart(4, 0)}⟩`;
});
// h('a.row', {href}, 'text', element): properties may be left out.
const h = (tag, props, ...kids) => {
  if (props?.constructor !== Object) [props, kids] = [{}, [props, kids]];
  const [name, ...classes] = tag.split('.');
  const el = document.createElement(name || 'div');
  if (classes[0]) el.className = classes.join(' ');
  for (const [k, v] of Object.entries(props)) {
    if (k.startsWith('on')) el[k] = v;
    else if (k[0] === '-') el.style.setProperty(k, v);
    else if (v != null && v !== false) el.setAttribute(k, v);
  }
  el.append(...kids.flat(9).filter(k => k || k === 0).map(k => k.nodeType ? k : visible(k)));
  return el;
};
const span = (cls, ...kids) => h('span.' + cls, ...kids);
const dim = (...kids) => span('dim', kids);
const badge = (kind, ...kids) => span('badge.' + kind, kids);
const a = (href, ...kids) => h('a', { href }, kids);
const button = (text, onclick, props) => h('button', { type: 'button', onclick, ...props }, text);
const fold = (summary, ...kids) => h('details', h('summary', summary), kids);
const table = (heads, rows) => h('.wide', h('table', h('tr', heads.map(t => h('th', t))), rows.map(r => h('tr', r.map(c => h('td', c))))));
const pairs = list => h('dl', list.map(([k, v]) => [h('dt', k), h('dd', v)]));
const dots = (...list) => list.flat().filter(Boolean).flatMap((item, i) => i ? [' · ', item] : item);

const [full, short] = [{}, { notation: 'compact', maximumFractionDigits: 1 }].map(o => new Intl.NumberFormat('en', o));
const num = n => n == null ? '–' : (n < 1e4 ? full : short).format(n);
const many = (n, noun) => `${num(n)} ${noun}${n === 1 ? '' : 's'}`;
const size = n => n < 1024 ? n + ' B' : n < 1048576 ? (n / 1024).toFixed() + ' KiB' : (n / 1048576).toFixed(1) + ' MiB';
const ms = n => n == null ? '–' : n < 1000 ? n + ' ms' : n < 6e4 ? (n / 1000).toFixed(1) + ' s' : Math.round(n / 6e4) + ' min';
const format = o => { const f = new Intl.DateTimeFormat('sv', o); return t => f.format(Math.min(t, 8e15)); };
const clock = format({ timeStyle: 'medium' }), day = format({});
const exact = t => `${day(t)} ${clock(t)}.${`${t % 1000}`.padStart(3, 0)}`;
const time = t => h('time', { title: exact(t), 'data-t': t });
let skew = 0;
const tick = () => document.querySelectorAll('[data-t]').forEach(el => {
  const t = +el.dataset.t, s = (Date.now() + skew - t) / 1000;
  const text = s < 5 ? 'now' : s < 60 ? `${s | 0} s` : s < 3600 ? `${s / 60 | 0} min` : s < 86400 ? `${s / 3600 | 0} h` : day(t);
  if (el.textContent !== text) el.textContent = text;
});
setInterval(tick, 5000);
const who = user => user ? user.name || user.label : 'unknown user';
const person = user => span(user ? 'user' : 'unknown', who(user));
const tokens = t => t.in == null && t.out == null ? '' : `${num(t.in)} in${t.cached ? ` (${num(t.cached)} cached)` : ''} / ${num(t.out)} out${t.reasoning ? ` (${num(t.reasoning)} reasoning)` : ''}`;
const LEVELS = { error: 'bad', warning: 'warn', note: 'info' };
const worst = list => Object.keys(LEVELS).find(level => list.some(p => p.level === level));
const alerts = n => n > 0 && badge('warn', '⚠ ', n);

// The address: #/VIEW/SELECTION/REPORT?q=…&tab=…&with=…
const LISTS = { sessions: '/api/sessions', interactions: '/api/reports', users: '/api/users' };
const VIEWS = [...Object.keys(LISTS), 'figures', 'problems', 'refused', 'faults', 'accounting', 'start'];
const parse = () => {
  const [path, query] = location.hash.slice(2).split('?');
  let [view, key = '', report = ''] = path.split('/').map(s => { try { return decodeURIComponent(s); } catch { return s; } });
  if (!VIEWS.includes(view)) view = 'sessions';
  if (view === 'interactions') [key, report] = ['', key];
  const got = new URLSearchParams(query), get = name => got.get(name) || '';
  return { view, key, report, q: get('q'), tab: get('tab'), with: get('with') };
};
let route = {};
const link = to => {
  const r = { view: 'sessions', q: route.q, ...to }, params = new URLSearchParams();
  for (const name of ['q', 'tab', 'with']) if (r[name]) params.set(name, r[name]);
  return '#/' + [r.view, r.key, r.report].filter(Boolean).map(encodeURIComponent).join('/') + (params.size ? '?' + params : '');
};
const go = (to, quiet) => {
  if (!quiet) { location.hash = link(to); return; }
  history.replaceState(null, '', link(to));
  moved();
};
const filter = q => link({ view: 'interactions', q });
const quoted = text => `"${text.replace(/["\\]/g, '\\$&')}"`;

const url = (path, params) => path + '?' + new URLSearchParams(params);
const ask = async (path, params, options) => {
  const answer = await fetch(url(path, params), options), text = await answer.text();
  let body = { error: text.slice(0, 400) };
  try { body = JSON.parse(text); } catch { /* It is the text of an error. */ }
  if (!answer.ok) throw { ...body, status: answer.status };
  return body;
};
const matching = more => ({ q: route.q, tz: -new Date().getTimezoneOffset(), ...more });
const write = (method, path, body, type = 'application/json') => ask(path, {}, { method, body, headers: { 'content-type': type } });
const raw = async id => (await fetch(`/api/reports/${id}/raw`)).text();
const why = error => error.error || error.message;
const act = async (work, done) => {
  try { const got = await work; toast(done(got)); refresh(); } catch (error) { toast(why(error)); }
};
const toast = text => {
  $('toast').textContent = visible(text);
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => $('toast').textContent = '', 4000);
};
const copy = async text => {
  try { await navigator.clipboard.writeText(text); toast('Copied'); } catch { prompt('Copy', text); }
};
const copied = text => h('.copy', h('pre', { tabindex: 0 }, long(text, 12)), button('Copy', () => copy(text)));

// Puts new elements in place of old ones, but for those that are equal: what is open or focused stays.
const patch = (parent, fresh) => {
  const focused = document.activeElement.closest('[data-key]')?.dataset.key;
  const old = new Map([...parent.children].map(el => [el.dataset.key, el]));
  const els = fresh.flat(9).filter(Boolean).map((el, i) => {
    el.dataset.key ??= i;
    el.sign = el.outerHTML;
    const known = old.get(el.dataset.key);
    if (known?.sign !== el.sign) return el;
    old.delete(el.dataset.key);
    return known;
  });
  old.forEach(el => el.remove());
  els.forEach((el, i) => parent.children[i] === el || parent.insertBefore(el, parent.children[i]));
  if (focused && document.activeElement === document.body) els.find(el => el.dataset.key === focused)?.focus({ preventScroll: true });
  tick();
};

// JSON as received: numbers and repeated names stay as they are.
const readJson = text => {
  const token = /\s*(?:([{}[\],:])|("(?:[^"\\]|\\.)*"|[^\s{}[\],:"]+))/y, top = { kids: [] }, stack = [top];
  let name;
  for (let m; (m = token.exec(text));) {
    const { kids } = stack.at(-1), add = kid => { kids.push({ name, ...kid }); name = null; };
    if (m[2]) add({ raw: m[2] });
    else if ('{['.includes(m[1])) { add({ open: m[1], kids: [] }); stack.push(kids.at(-1)); }
    else if ('}]'.includes(m[1])) { if (stack[1]) stack.pop(); }
    else if (m[1] === ':') name = kids.pop()?.raw;
  }
  return top.kids[0] || { raw: text };
};
const plain = text => { try { return JSON.parse(text); } catch { return text; } };
const leaf = text => {
  if (text[0] !== '"') return span('j-word', text);
  const string = `${plain(text)}`;
  return /^(data:[^,]*,)?[\w+/=-]{400}/.test(string) ? dim(`${string.slice(0, 40)}… ${size(string.length)} of data`) : span('j-text', '"', long(string, 12), '"');
};
const tree = (json, deep = 3) => {
  const label = json.name && [span('j-name', plain(json.name)), ': '];
  if (!json.kids?.[0]) return h('.j', label, json.open ? json.open + (json.open === '{' ? '}' : ']') : leaf(json.raw));
  const fill = (from = 0) => {
    box.append(...json.kids.slice(from, from + 500).map(kid => tree(kid, deep - 1)));
    if (json.kids.length > from + 500) box.append(button('more', e => { e.target.remove(); fill(from + 500); }));
  };
  const box = h('details.j', { ontoggle: () => box.children[1] || fill() }, h('summary', label, json.open, dim(` ${json.kids.length} `), json.open === '{' ? '}' : ']'));
  box.open = deep > 0;
  if (box.open) fill();
  return box;
};
const json = (text, deep) => h('.json', tree(readJson(text), deep));

// A text, or its beginning with a button for the rest; fenced code in monospace.
const long = (text, most = 40) => {
  const lines = text.split('\n');
  if (lines.length < most + 5 && text.length < most * 150) return text;
  const head = lines.slice(0, most).join('\n').slice(0, most * 120), rest = h('span', { hidden: '' }, text.slice(head.length));
  return [head, rest, button(`… ${num(text.length - head.length)} more characters`, e => { rest.hidden = !rest.hidden; e.target.textContent = rest.hidden ? 'more' : 'less'; })];
};
const prose = text => text.split(/^```/m).map((part, i) => i % 2 ? h('pre.code', long(part.replace(/^.*\n/, '').trimEnd())) : part.trim() && h('.text', long(part.replace(/^\n|\n$/g, ''))));
const marked = (...words) => span('chip', words.filter(Boolean).join(' '));
const elsewhere = p => p.url && `${p.url.slice(0, 300)} (not fetched)`;
const PARTS = {
  text: p => prose(p.text),
  reasoning: p => h('details.quiet', h('summary', 'Reasoning'), prose(p.text)),
  refusal: p => h('.error', h('b', 'Refusal '), p.text),
  toolCall: p => h('.call', h('b', '→ ', p.name), ' ', span('id', p.id), !p.isJson && badge('bad', 'arguments are not JSON'),
    p.isJson && p.arguments.length > 120 ? json(p.arguments, 2) : h('pre', long(p.arguments, 12)), p.result != null && h('pre.result', '← ', long(p.result, 12))),
  toolResult: p => h('details.call', p.isError && { open: '' }, h('summary', h('b', '← ', p.name || 'result'), p.isError && badge('bad', 'error'), ' ', span('id', p.text.slice(0, 160))), h('pre', long(p.text))),
  image: p => h('figure', p.src && h('a', { href: p.src, target: '_blank' }, h('img', { src: p.src, alt: p.filename || 'image of the report', loading: 'lazy' })),
    marked('▣', p.mediaType || 'image', p.bytes && size(p.bytes), p.filename, elsewhere(p) || !p.src && 'not here')),
  audio: p => [marked('♪', p.mediaType || 'audio', p.bytes ? size(p.bytes) : p.filename), p.transcript && prose(p.transcript)],
  file: p => marked('▤', p.filename || p.mediaType || 'file', p.bytes && size(p.bytes), elsewhere(p)),
  json: p => h('details.call', h('summary', p.label), json(p.text)),
};
const message = (m, user) => {
  const isTool = m.parts[0] && m.parts.every(p => p.kind === 'toolResult');
  return h('.message.' + (isTool ? 'tool' : m.role.replace(/\W/g, '')), h('.role', isTool ? 'tool' : m.role === 'user' && user ? who(user) : m.name || m.role), h('.body', m.parts.map(p => PARTS[p.kind](p))));
};
const compared = (removed, added, user) => [removed.map(m => h('.del', message(m, user))), added.map(m => h('.ins', message(m, user)))];
const words = pieces => h('p.text', pieces.map(p => p.op === 'same' ? p.text : h(p.op === 'added' ? 'ins' : 'del', p.text)));
const changes = list => list.map(c => span('change', c.name, ' ', c.from != null && h('del', c.from), ' ', c.to != null && h('ins', c.to)));
const TORN = { interrupted: 'Interrupted: cut off by the provider', abandoned: 'Abandoned: the caller left', refused: 'Refused by the provider' };
const relation = t => ({
  start: t.n > 1 && 'another conversation', continued: t.parent && t.parent < t.n - 1 && `continues turn ${t.parent}`, branch: `branch of turn ${t.parent}`, again: 'the same request again',
  edited: `history edited at message ${t.history?.at + 1}`, shortened: `history shortened by ${t.history?.removed.length}`,
})[t.relation];
const turn = (t, isAlone) => {
  const s = t.report, at = s.requested ?? s.received, level = worst(s.problems), related = relation(t);
  const to = tab => link({ view: route.view, key: route.key, report: s.id, tab });
  const before = async e => {
    const box = e.target.closest('.folded');
    if (e.target !== box || box.children[1]) return;
    box.append(h('div'));
    const got = await ask(`/api/reports/${s.id}`);
    box.lastChild.append(...got.turn.messages.slice(0, t.folded).map(m => message(m, s.user)));
  };
  const opaque = !t.isConversation && h('.call', dim(`Format ${s.format}, type ${s.type}: shown as JSON`));
  if (opaque) raw(s.id).then(text => opaque.append(json(text)));
  return h('article.turn.t' + t.thread % 4, { tabindex: -1, 'data-key': s.id, 'aria-current': !isAlone && s.id == route.report && 'true' },
    t.newVisit && h('p.visit', 'A new visit: the session came back after its timeout'),
    h('header', !isAlone && h('h3', t.n), h('time', { title: exact(at) }, clock(at)), t.thread > 0 && badge('', `thread ${t.thread + 1}`), !isAlone && related && badge(t.history ? 'warn' : 'info', related), s.model, changes(t.changes),
      !isAlone && h('.links', s.attempts > 1 && h('a.badge', { href: to('delivery') }, many(s.attempts, 'attempt')), LEVELS[level] && level !== 'note' && h('a.badge.' + LEVELS[level], { href: to('checks') }, '⚠ ', s.problems[0].check), a(to('report'), 'raw'))),
    t.folded > 0 && !isAlone && h('details.folded', { ontoggle: before }, h('summary', many(t.folded, 'message'), ' as before')),
    t.history && h('.folded', t.history.diff ? words(t.history.diff) : fold('what changed', compared(t.history.removed, t.history.added, s.user))),
    opaque, t.messages.map(m => message(m, s.user)), h('.choices', t.answers.map(choice => h('.choice', choice.map(m => message(m))))),
    h('footer', t.torn && !t.error && h('p.torn', TORN[t.torn] || t.torn), t.error && h('.error', h('b', s.status >= 400 && s.status, ' Error '), t.error), s.truncated && h('p', badge('warn', 'truncated'), ' not all of it was reported'),
      dots(s.ttft != null && `${ms(s.ttft)} to first token`, s.duration != null && ms(s.duration), tokens(s.tokens), s.finish, s.streamed && `streamed${s.chunks ? `, ${many(s.chunks, 'chunk')}` : ''}`)));
};

const row = (kind, key, href, isOpen, ...kids) => h('a.row' + kind, { href, 'data-key': key, 'aria-current': isOpen && 'true' }, kids);
const sum = t => t.in == null ? '' : `${num(t.in + (t.out || 0))} tok`;
const ROWS = {
  sessions: s => row('', s.key, link({ key: s.key }), s.key === route.key,
    h('.line', span('what', s.asked || dim('no words of a user')), time(s.lastActive)),
    h('.line.sub', span('cut', person(s.user), s.users > 1 && ` + ${s.users - 1}`, ' · ', s.session == null ? 'no session' : s.label, ' · ', s.models.join(', ')), span('num', dots(many(s.interactions, 'turn'), sum(s.tokens))), s.open && span('open', { title: s.closesAt && `closes at ${clock(s.closesAt)}` }, span('hide', 'open'))),
    h('.badges', s.users > 1 && badge('bad', s.users, ' users'), s.failed > 0 && badge('bad', s.failed, ' failed'), s.interrupted > 0 && badge('warn', 'interrupted'), s.truncated > 0 && badge('warn', 'truncated'), s.tools > 0 && badge('', many(s.tools, 'tool call')), s.has.filter(has => has !== 'tool').map(has => badge('', has)), s.visits > 1 && badge('', s.visits, ' visits'), alerts(s.problems))),
  interactions: s => row('.report', s.id, link({ view: 'interactions', report: s.id }), s.id == route.report,
    span('num.dim', s.id), time(s.requested ?? s.received), span('what', s.asked || s.answered || s.type), span('cut.c4', person(s.user)), span('cut.c5', s.session == null ? '–' : s.sessionLabel), span('cut.c2', s.model || s.format), ended(s),
    span('num.c3', ms(s.ttft)), span('num.c3', ms(s.duration)), span('num.c2', num(s.tokens.in), ' / ', num(s.tokens.out)), span('cut.c5', s.finish || '–'), span('num.c5', size(s.bytes)), span('cut', s.attempts > 1 && badge('info', '×', s.attempts), s.problems.some(p => p.level !== 'note') && badge(LEVELS[worst(s.problems)], '⚠'))),
  users: u => { const key = u.user?.key ?? '~none'; return row('', key, link({ view: 'users', key }), key === route.key,
    h('.line', span('what', person(u.user)), time(u.lastSeen)), h('.line.sub', span('cut', u.user ? dots(u.user.userId, u.user.email, u.user.isAuthenticated && 'authenticated') : 'Reconify makes a new user of each'), span('num', dots(many(u.sessions, 'session'), many(u.interactions, 'turn'), sum(u.tokens)))),
    h('.badges', u.failed > 0 && badge('bad', u.failed, ' failed'), alerts(u.problems))); },
};
const ended = s => badge(s.outcome && s.outcome !== 'answered' || s.status >= 400 ? 'bad' : '', s.outcome || 'unknown', s.status >= 400 && ` ${s.status}`);
const bars = (buckets, name, to) => {
  const most = Math.max(...buckets.map(b => b.count));
  return h('.bars', buckets.map(b => { const label = name + many(b.count, 'interaction') + (b.failed ? `, ${b.failed} failed` : ''); return h(b.count && to ? 'a' : 'span', { href: b.count && to ? to(b) : null, title: label, 'aria-label': to && label, '--n': b.count / most, '--f': b.failed / most }); }));
};
const strip = f => [bars(f.series, ''), span('num', `${num(f.tokens.in)} tokens in / ${num(f.tokens.out)} out`), f.ttft.count > 0 && span('num', `first token p50 ${ms(f.ttft.p50)}, p95 ${ms(f.ttft.p95)}`), f.duration.count > 0 && span('num', `time p50 ${ms(f.duration.p50)}, p95 ${ms(f.duration.p95)}`)];
const exports = (path, kinds, params, ...more) => h('details.menu', h('summary', 'Export'), h('.items', kinds.map(format => h('a', { href: url(path, { ...params, format }), download: '' }, { md: 'Markdown', json: 'JSON', jsonl: 'JSON Lines', csv: 'CSV' }[format])), more));
const title = (text, sub, ...more) => h('header.head', h('a.back', { href: route.tab && route.key ? link({ view: route.view, key: route.key }) : link({ view: route.view }), 'aria-label': 'Back' }, '‹'), h('.titles', h('h2', { tabindex: -1 }, text), h('.sub', sub)), more);
const linked = () => button('Copy link', () => copy(location.href));
const empty = (text, ...kids) => h('.empty', h('h2', text), kids);
const nothing = of => empty(`0 of ${num(of)}`, h('p', route.q ? 'Nothing matches the search.' : 'Nothing here.'), route.q && button('Clear the search', () => search('')));

let status, figures, limit = 200, waiting = 0, paused = false, follow = false, lost = 0, failure = '', wanted = 0;
const start = () => {
  const o = location.origin, now = Date.now();
  return [h('h2', status.reports ? 'How reports get here' : 'Nothing has come yet'),
    h('p', 'This collector stands in for Reconify on this machine: it shows and checks what an application would report, and sends nothing on.'),
    h('h3', 'Let an application report here'), copied(`export RECONIFY_ENDPOINT=${o}/track\nexport RECONIFY_APP_KEY=any RECONIFY_API_KEY=any`), status.keys && h('p', 'The keys have to be those of COLLECTOR_APP_KEY and COLLECTOR_API_KEY.'),
    h('h3', 'Or send one report'), copied(`curl ${o}/track -H 'content-type: application/json' -d '{"reconify":{"format":"openai","type":"chat","version":"1.0.0","appKey":"any","apiKey":"any"},"timestamps":{"request":${now},"response":${now + 900}},"session":"first","sessionTimeout":null,"user":{},"request":{"model":"gpt-4o","messages":[{"role":"user","content":"Hello?"}]},"response":{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello."}}]}}'`),
    h('h3', 'Or look at an example'), h('.buttons', button('Send an example', () => act(write('POST', '/api/example'), got => { go({ key: got.sessionKey, q: '' }); return 'Sent'; })),
      h('label', 'Import an export ', h('input', { type: 'file', accept: '.json,.jsonl', onchange: ({ target: { files: [file] } }) => act(write('POST', '/api/import', file, file.name.endsWith('l') ? 'application/x-ndjson' : 'application/json'), got => `${got.imported} imported, ${got.known} known, ${got.refused} refused ${got.errors[0] || ''}`) }))),
    h('h3', 'In a terminal, in a test'), copied(`curl -N ${o}/api/events?format=line\ncurl '${o}/api/wait?q=session:first&count=1&timeout=5s'`),
    h('p', dim(`Version ${status.version}, ${status.store}. Kept are ${num(status.limits.reports)} reports or ${size(status.limits.bytes)}, the newest.`, status.strict && ' Strict: whatever the wire contract forbids is refused.'), ' ', a('/api/openapi.json', 'API'))];
};
const drawList = got => {
  const { view, q } = route, list = got[view === 'interactions' ? 'reports' : view];
  patch($('head'), [h('h2', q ? `${num(got.matched)} of ${num(got.total)}` : many(got.total, view.slice(0, -1))), figures && h('a.strip', { href: link({ view: 'figures' }), 'aria-label': 'Figures' }, strip(figures)),
    button('Follow', toggleFollow, { 'aria-pressed': follow }), exports('/api/reports', ['json', 'jsonl', 'csv'], matching(), button('Delete these', () => confirm(q ? `Delete what matches ${q}?` : 'Delete everything?') && act(write('DELETE', url('/api/reports', matching({ q: q || '*' }))), got => `${got.deleted} deleted`)))]);
  const isNew = !status.reports && !q;
  patch($('rows'), list[0] ? [list.map(ROWS[view]), list.length >= limit && (limit < 1000 ? button('Show more', () => { limit = 1000; refresh(); }) : h('p.empty', 'Search for the rest.'))]
    : isNew && status.refused ? [empty(`${num(status.refused)} came, all refused`, a(link({ view: 'refused' }), 'See why'))] : isNew ? [h('.page', start())] : [nothing(got.total)]);
};

const attempts = list => table(['', 'Time', 'Answered', 'Fault', 'idempotency-key', 'User agent', 'Size'], list.map((at, i) => [i + 1, exact(at.at), badge(at.status < 400 && at.status ? 'good' : 'bad', at.status ?? 'nothing'), at.fault, at.key, at.userAgent, [size(at.bytes), !at.sameBytes && badge('bad', 'other bytes')]]));
const branch = (text, name) => { const kid = readJson(text).kids?.find(k => plain(k.name) === name); return kid ? h('.json', tree({ ...kid, name: null })) : empty('Not in the report'); };
const TABS = {
  conversation: d => d.turn ? turn(d.turn, true) : empty('No conversation'),
  request: async d => [pairs(d.parameters.map(p => [p.name, long(p.value, 6)])), branch(await raw(d.summary.id), 'request'), d.curl && [h('h3', 'Ask the model again'), copied(d.curl)]],
  response: async d => branch(await raw(d.summary.id), 'response'),
  report: async d => {
    const text = await raw(d.summary.id), bytes = h('pre', { hidden: '', tabindex: 0 }, text), shown = json(text);
    return [h('.buttons', button('Copy', () => copy(text)), button('As received', () => { bytes.hidden = !bytes.hidden; shown.hidden = !bytes.hidden; }), dim(`${size(d.summary.bytes)}, keys masked`)), shown, bytes];
  },
  checks: d => d.summary.problems[0] ? d.summary.problems.map(p => h('p.check', badge(LEVELS[p.level], p.level), ' ', a(filter('has:' + p.check), p.check), h('.text', p.text))) : empty('No problem found'),
  delivery: d => [h('h3', many(d.attempts.length, 'attempt')), attempts(d.attempts), h('p', dots(d.lag != null && `arrived ${ms(d.lag)} after the response`, exact(d.summary.received), d.summary.key, d.summary.process && `process ${d.summary.process}`)),
    d.files.map(f => h('p', '▣ ', f.filename, ' ', f.upload ? a(link({ view: 'interactions', report: f.upload, q: '' }), 'upload ', f.upload) : badge('warn', 'not uploaded')))],
  difference: async d => {
    const other = route.with || d.previous, form = h('form.buttons', { onsubmit: e => { e.preventDefault(); go({ ...route, with: e.target.other.value }); } }, h('label', 'Compare with interaction ', h('input', { name: 'other', type: 'number', min: 1, required: '', value: other })), h('button', 'Compare'));
    if (!other) return [form, empty('The first of its session')];
    const c = await ask('/api/compare', { a: other, b: d.summary.id });
    return [form, h('p', dots(many(c.common, 'equal message'), `${c.removed.length} removed`, `${c.added.length} added`)), h('p', c.changes[0] ? changes(c.changes) : dim('Model, parameters and tools are the same.')), c.diff ? words(c.diff) : dim('Too long to compare word by word.'), fold('Messages', compared(c.removed, c.added))];
  },
};
const report = async id => {
  const d = await ask(`/api/reports/${encodeURIComponent(id)}`), s = d.summary, tab = TABS[route.tab] ? route.tab : 'conversation', at = (id, text) => id && a(link({ ...route, report: id }), text);
  const isLarge = !d.visibleRaw && ['request', 'response', 'report'].includes(tab);
  return [title(`Interaction ${s.id}`, [dots(person(s.user), s.session != null && a(link({ key: s.sessionKey, report: s.id }), s.sessionLabel), s.model, s.type, exact(s.requested ?? s.received)), ' ', ended(s), Object.entries(s.tags).map(tag => [' ', badge('', tag.join('='))])],
    at(d.previous, '‹'), at(d.next, '›'), linked(), exports('/api/reports', ['json', 'csv'], { q: `key:${quoted(s.key)}` }, h('a', { href: `/api/reports/${s.id}/raw?download=1`, download: '' }, 'As received'), d.curl && button('Copy as curl', () => copy(d.curl)))),
  h('nav.tabs', { 'aria-label': 'Report' }, Object.keys(TABS).map(name => h('a', { href: link({ ...route, tab: name, with: '' }), 'aria-current': name === tab && 'page' }, name, span('count', name === 'checks' && s.problems.length || name === 'delivery' && s.attempts > 1 && s.attempts)))),
  h('.tab', isLarge ? empty(`It has ${size(s.bytes)}`, h('p', 'Download it from the menu Export.')) : await TABS[tab](d))];
};
const session = async () => {
  const path = `/api/sessions/${encodeURIComponent(route.key)}`, t = await ask(path), r = t.row;
  return [title(t.session == null ? 'Without a session' : t.label, dots(t.users[0] ? t.users.map(who).join(', ') : person(), many(t.turns.length, 'turn'), r && tokens(r.tokens), r && t.session != null && (r.open ? `open${r.closesAt ? `, closes at ${clock(r.closesAt)}` : ''}` : 'closed')), linked(), exports(path, ['md', 'json', 'jsonl', 'csv'])),
    t.users[1] && h('p.banner', badge('bad', t.users.length, ' users in one session'), ' ', t.users.map(u => u.label).join(', ')), t.omitted > 0 && h('p.banner', `${many(t.omitted, 'older turn')} left out; the exports have them.`), t.turns.map(one => turn(one))];
};
const user = async () => {
  const q = route.key === '~none' ? 'is:anonymous' : `user:${quoted(route.key)}`, got = await ask('/api/sessions', { q });
  return [title(got.sessions[0] ? who(got.sessions[0].user) : route.key, dots(many(got.matched, 'session'), a(filter(q), 'interactions'), a(link({ view: 'figures', q }), 'figures')), linked()), got.sessions.map(s => ROWS.sessions(s))];
};
const PAGES = {
  start,
  problems: async () => {
    const { problems } = await ask('/api/problems', matching());
    return [h('h2', 'Problems'), problems.map(p => row('', p.check, filter(`has:${p.check} ${route.q}`.trim()), false, h('.line', badge(LEVELS[p.level], p.level), span('what', p.title), h('b', num(p.count)), time(p.newest)), h('.sub', 'has:', p.check))), !problems[0] && empty('No problem found')];
  },
  refused: async () => {
    const got = await ask('/api/refused', { limit: 200 });
    return [h('h2', 'Refused'), h('p', `${num(got.total)} answered 4xx since the start, ${num(got.kept)} kept. `, got.kept > 0 && button('Forget them', () => act(write('DELETE', '/api/refused'), () => 'Forgotten'))),
      got.refused.map(r => h('article.card', { 'data-key': r.id }, h('header', badge('bad', r.status), h('b', r.reason), r.path, time(r.at)), r.fields[0] && table(['Field', 'Found', 'Expected'], r.fields.map(f => [f.pointer || '/', f.found, f.expected])), h('p', dim(dots(size(r.bytes), r.key, r.userAgent))), r.head && fold('First bytes', h('pre', r.head)))), !got.kept && empty('Nothing was refused')];
  },
  faults: async () => {
    const { faults } = await ask('/api/faults'), arm = body => act(write('POST', '/api/faults', body), () => 'Armed');
    return [h('h2', 'Faults'), h('p', 'What the collector does wrong on purpose, to test what delivers to it: in this order, so many times. Each use is shown under delivery.'),
      faults.map(f => h('p.check', h('b', f.text), ` · ${f.left ?? 'no end'} left · ${f.used} used `, dim(JSON.stringify(f.fault)))), faults[0] ? button('Disarm all', () => act(write('DELETE', '/api/faults'), () => 'Disarmed')) : h('p', dim('None is armed.')), h('h3', 'Arm'),
      h('.buttons', ['{"status":503,"times":2}', '{"status":429,"retry_after":"3s"}', '{"status":500,"times":0,"probability":20}', '{"delay":"2s"}', '{"hang":true}', '{"reset":true}', '{"after_bytes":5}', '{"garbage":true}'].map(text => button(text, () => arm(text)))),
      h('form', { onsubmit: e => { e.preventDefault(); arm(e.target.fault.value); } }, h('label', 'Your own: status, body, delay, hang, reset, after_bytes, garbage, retry_after, times, probability, match, seed', h('textarea', { name: 'fault', rows: 2 }, '{"status":503,"match":"session:first"}')), h('button', 'Arm'))];
  },
  accounting: async () => {
    const got = await ask('/api/accounting'), names = ['arrived', 'dropped', 'withheld', 'missing'];
    return [h('h2', 'Accounting'), h('p', 'What applications captured, and what became of it. Missing reports wait, were rejected, are gone by retention, or are lost.'),
      got.processes.map(p => h('.card', h('header', h('b', 'process ', p.process), dim(num(p.captured), ' captured'), time(p.lastSeen)), h('.bar', names.map(n => h('span.' + n, { '--n': Math.max(0, p[n]) }))), h('p', names.map(n => span('key.' + n, n, ' ', num(p[n])))))), !got.processes[0] && h('p', dim('No report has metadata.reporter: set RECONIFY_METADATA=1.')),
      got.stats && [h('h3', 'Counts of the reporter'), json(JSON.stringify(got.stats))], h('h3', 'Answered since the start'), pairs(Object.entries(got.answered)), got.undelivered[0] && h('h3', 'Came, but only met faults'), got.undelivered.map(u => h('.card', h('b', u.key), attempts(u.attempts)))];
  },
  figures: async () => {
    const f = await ask('/api/figures', matching({ buckets: 60 })), more = terms => link({ view: 'figures', q: `${route.q} ${terms}`.trim() });
    const plot = (name, list, shown, to, p) => h('.card', h('h3', name), list[0] ? [bars(list, name + ': ', to), h('.axis', span('', shown(list[0].from)), span('', shown(list.at(-1).to)))] : dim('Not measured'), p?.count > 0 && h('p', ['p50', 'p95', 'p99', 'max'].map(k => span('key', dim(k), ' ', ms(p[k])))));
    const ranks = (name, list, field) => list[0] && h('.card', h('h3', name), list.slice(0, 10).map(i => h('a.rank', { href: more(`${field}:${quoted(i.name)}`), '--n': i.count / list[0].count }, i.name, span('num', num(i.count)))));
    const range = name => b => more(`${name}>=${b.from} ${name}<${b.to}`);
    return [h('h2', 'Figures'), h('.tiles', Object.entries({ interactions: num(f.count), sessions: num(f.sessions), users: num(f.users), 'tokens in': num(f.tokens.in), cached: num(f.tokens.cached), 'tokens out': num(f.tokens.out), failed: num(f.failed), interrupted: num(f.interrupted), truncated: num(f.truncated), problems: num(f.problems), size: size(f.bytes) }).map(([k, v]) => h('div', dim(k), h('b', v)))),
      f.count ? [plot('Interactions, failed in red', f.series, clock, b => more(`after:${b.from} before:${b.to}`)), h('.columns', plot('Time to the first token', f.ttfts, ms, range('ttft'), f.ttft), plot('Duration', f.durations, ms, range('ms'), f.duration), ranks('Models', f.models, 'model'), ranks('Outcomes', f.outcomes, 'outcome'), ranks('Types', f.types, 'type'))] : nothing(f.total)];
  },
};

const drawTop = () => {
  const s = status;
  document.title = visible(s ? s.name : 'Collector') + (waiting ? ` (${waiting} new)` : '');
  $('name').textContent = visible(s ? s.name : 'Collector');
  $('live').className = lost ? 'lost' : paused ? 'paused' : '';
  $('live').textContent = lost ? 'offline' : paused ? `paused, ${waiting} waiting` : 'live';
  $('live').setAttribute('aria-pressed', paused);
  patch($('views'), VIEWS.map(view => h('a', { href: link({ view }), 'aria-current': route.view === view && 'page' }, view, s?.[view] > 0 && span('count.' + view, num(s[view])))));
  patch($('notice'), [lost && h('p.bad', `Not connected since ${clock(lost)}, retrying. What is here stays.`), s?.storeError && h('p.bad', 'Nothing can be stored: ', s.storeError), s?.faults > 0 && h('p.warn', many(s.faults, 'fault'), ' armed: posts are answered wrongly on purpose. ', a(link({ view: 'faults' }), 'Faults')), failure && h('p.bad', failure, ' ', button('Try again', () => refresh()))]);
  patch($('new'), [waiting > 0 && button(`${num(waiting)} new ↑`, showNew)]);
};
const showNew = () => { paused = false; $('rows').scrollTop = 0; refresh(); };
const wrong = error => {
  const letters = [...route.q];
  $('q').setAttribute('aria-invalid', !!error);
  $('wrong').hidden = !error;
  if (error) $('wrong').replaceChildren(dim(letters.slice(0, error.at).join('').slice(-30)), h('mark', letters.slice(error.at).join('').split(/\s/)[0] || '␣'), ' ', visible(error.error));
};

// Loads what the address asks for; what is shown stays until the new is here.
let running, again = false, shown = '', drawn = '';
const refresh = () => {
  again = true;
  running ||= (async () => { while (again) { again = false; await load(route); } running = null; })();
};
const load = async at => {
  const path = LISTS[at.view], isOpen = !path || at.key || at.report, place = at.view + '?' + at.q;
  document.body.className = [path ? 'lists' : 'pages', isOpen && 'chosen', at.view].filter(Boolean).join(' ');
  $('list').setAttribute('aria-busy', shown !== place);
  try {
    const [now, got] = await Promise.all([ask('/api/status'), path && ask(path, matching({ limit }))]);
    if (at !== route) return;
    [status, skew, waiting, failure] = [now, now.now - Date.now(), 0, ''];
    wrong();
    if (path) {
      if (shown !== place) { $('rows').scrollTop = 0; shown = place; }
      drawList(got);
      loadFigures(at, got);
    }
  } catch (error) {
    if (at !== route) return;
    if (error.at != null) wrong(error); else failure = `Could not load: ${why(error)}.`;
  }
  $('list').setAttribute('aria-busy', false);
  drawTop();
  if (status) await loadDetail(at, isOpen);
};
const loadFigures = (at, got) => {
  clearTimeout(loadFigures.timer);
  loadFigures.timer = setTimeout(async () => {
    try { figures = await ask('/api/figures', matching({ buckets: 40 })); } catch { return; }
    if (at === route) drawList(got);
  }, figures ? 700 : 0);
};
const loadDetail = async (at, isOpen) => {
  const detail = $('detail'), place = [at.view, at.key, !at.key || at.tab ? at.report : '', at.tab, at.with].join('/');
  let els = [];
  try {
    if (isOpen) els = await (PAGES[at.view] || (at.view === 'users' ? user : at.report && (at.tab || !at.key) ? () => report(at.report) : session))();
  } catch (error) {
    if (!error.error) { failure = `Could not load: ${why(error)}.`; return drawTop(); }
    els = error.at != null && drawn === place ? null : [title('Not here', ''), empty(error.error, h('p', status.evicted > 0 && `The newest ${num(status.limits.reports)} reports or ${size(status.limits.bytes)} are kept; ${num(status.evicted)} are gone.`), a(link({ view: at.view }), 'Back'))];
  }
  if (at !== route || !els) return;
  const isNew = drawn !== place;
  if (isNew) { detail.replaceChildren(); detail.scrollTop = 0; }
  patch(detail, els);
  drawn = place;
  if (wanted) {
    wanted = 0;
    (detail.querySelector('.turn[aria-current]') || detail.querySelector('h2'))?.focus({ preventScroll: true });
    detail.querySelector('.turn[aria-current]')?.scrollIntoView();
  }
  if (follow) detail.scrollTop = 1e9;
};

const search = q => { $('q').value = q; go({ ...route, ...(LISTS[route.view] || 'figures problems'.includes(route.view) ? {} : { view: 'interactions' }), q }, true); };
let typing;
$('q').oninput = () => { clearTimeout(typing); typing = setTimeout(() => search($('q').value), 120); };
$('search').onsubmit = e => { e.preventDefault(); search($('q').value); };

// Events have ids only.
let events, timer, due = 0;
const happened = () => {
  timer ||= setTimeout(async () => {
    timer = null;
    due = Date.now() + 200;
    if (LISTS[route.view] && (paused || $('rows').scrollTop > 40)) {
      try {
        const [now, got] = await Promise.all([ask('/api/status'), ask('/api/reports', matching({ after: status.lastId, limit: 1000 }))]);
        waiting = got.reports.length;
        status = { ...now, lastId: status.lastId };
        drawTop();
      } catch { /* The stream tells that the connection is lost. */ }
      if (!paused) loadDetail(route, route.key || route.report);
    } else refresh();
  }, Math.max(10, due - Date.now()));
};
const connect = () => {
  events?.close();
  events = new EventSource('/api/events');
  for (const name of ['hello', 'report', 'attempt', 'refused', 'removed', 'faults', 'resync']) events.addEventListener(name, async e => {
    if (name === 'hello') lost = 0;
    happened();
    if (name !== 'report' || !follow || paused) return;
    const { summary } = await ask(`/api/reports/${JSON.parse(e.data).id}`);
    go(route.view === 'interactions' ? { view: 'interactions', report: summary.id } : { key: summary.sessionKey }, true);
  });
  events.onerror = () => {
    lost ||= Date.now();
    drawTop();
    if (events.readyState === 2) setTimeout(connect, 2000);
  };
};
document.onvisibilitychange = () => document.hidden ? events.close() : connect();
const toggleFollow = () => { follow = !follow; toast(follow ? 'Following the newest' : 'Not following'); refresh(); };
const togglePause = () => { paused = !paused; if (paused) drawTop(); else showNew(); };

const all = selector => [...document.querySelectorAll(selector)];
const step = (selector, by) => {
  const list = all(selector), at = list.findIndex(el => el.contains(document.activeElement));
  const from = at < 0 ? list.findIndex(el => el.ariaCurrent) : at, el = list[Math.max(0, Math.min(list.length - 1, from + by))];
  el?.focus({ preventScroll: true });
  el?.scrollIntoView({ block: selector.includes('turn') ? 'start' : 'nearest' });
};
const steps = by => () => route.report && !all('.turn[data-key]')[1] ? go({ ...route, report: all('#detail .head > a:not(.back)').find(el => el.textContent === (by < 0 ? '‹' : '›'))?.href.match(/(\d+)(\?|$)/)[1] || route.report }) : step('.turn', by);
const rows = by => () => step(LISTS[route.view] ? '#rows .row' : '#detail .row', by);
const tab = name => () => {
  const id = document.activeElement.closest('.turn')?.dataset.key || route.report || all('.turn').find(el => el.getBoundingClientRect().bottom > 200)?.dataset.key;
  if (id) go({ ...route, report: id, tab: route.tab === name ? '' : name });
};
const back = () => {
  const open = all('.menu[open]')[0], key = route.key || route.report;
  if (open) { open.open = false; open.firstChild.focus(); }
  else if (document.activeElement === $('q')) $('q').blur();
  else if (route.tab && route.key) go({ ...route, tab: '', with: '' });
  else if (key) { go({ view: route.view }); setTimeout(() => all('#rows .row').find(el => el.dataset.key === key)?.focus(), 50); }
};
const KEYS = {
  '/': () => $('q').select(), j: rows(1), k: rows(-1), '[': steps(-1), ']': steps(1), r: tab('report'), d: tab('difference'), c: tab('checks'), y: () => copy(location.href),
  e: () => { const menu = all('#detail .menu, #list .menu').at(-1); if (menu) { menu.open = true; menu.querySelector('.items > *').focus(); } },
  f: toggleFollow, p: togglePause, 1: () => go({ view: VIEWS[0] }), 2: () => go({ view: VIEWS[1] }), 3: () => go({ view: VIEWS[2] }), '?': () => $('help').showModal(), Escape: back,
};
document.onkeydown = e => {
  const action = KEYS[e.key];
  if (!action || e.ctrlKey || e.metaKey || e.altKey || $('help').open || e.key !== 'Escape' && e.target.matches('input, textarea')) return;
  e.preventDefault();
  action();
};
$('live').onclick = togglePause;
$('keys').onclick = KEYS['?'];
$('close').onclick = () => $('help').close();
for (const name of ['click', 'focusin']) document.addEventListener(name, e => all('.menu[open]').forEach(menu => menu.contains(e.target) || (menu.open = false)));

const moved = () => {
  const old = route;
  route = parse();
  if (document.activeElement !== $('q')) $('q').value = route.q;
  if (old.view !== route.view || old.q !== route.q) [limit, figures] = [200, null];
  const place = r => `${r.key}/${r.report}/${r.tab}`;
  if (place(old) !== place(route) && (route.key || route.report) && !follow) wanted = 1;
  refresh();
};
onhashchange = moved;
all('body > [hidden].on').forEach(el => el.hidden = false);
moved();
connect();
