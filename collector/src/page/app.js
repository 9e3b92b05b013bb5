// The page draws what the API gives. Text of reports only ever becomes text nodes.
const $ = id => document.getElementById(id);
const HIDDEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\u{e0000}|[\u{e0001}-\u{e007f}]/gu;
const symbol = c => {
  const n = c.codePointAt(0);
  return n < 32 ? String.fromCharCode(0x2400 + n) : n === 127 ? '␡' : `⟨U+${n.toString(16).toUpperCase().padStart(4, '0')}⟩`;
};
const visible = text => String(text).replace(HIDDEN, symbol);

const node = (el, props, kids) => {
  for (const [name, value] of Object.entries(props || {})) {
    if (value == null || value === false) continue;
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true ? '' : value);
  }
  el.append(...kids.flat(9).filter(k => k != null && k !== false && k !== '').map(k => k instanceof Node ? k : visible(k)));
  return el;
};
// h('a.row', {href}, 'text', other)
const h = (tag, props, ...kids) => {
  const [name, ...classes] = tag.split('.');
  const el = document.createElement(name || 'div');
  if (classes[0]) el.className = classes.join(' ');
  return node(el, props, kids);
};
const svg = (tag, props, ...kids) => node(document.createElementNS('http://www.w3.org/2000/svg', tag), props, kids);

// Numbers and times
const num = n => n == null ? '–' : n < 10000 ? n.toLocaleString('en') : n < 1e6 ? (n / 1e3).toFixed(n < 1e5 ? 1 : 0) + 'k' : (n / 1e6).toFixed(1) + 'M';
const size = n => n < 1024 ? n + ' B' : n < 1 << 20 ? (n / 1024).toFixed(n < 10240 ? 1 : 0) + ' KiB' : (n / 1048576).toFixed(1) + ' MiB';
const ms = n => n == null ? '–' : n < 1000 ? n + ' ms' : n < 60000 ? (n / 1000).toFixed(n < 10000 ? 1 : 0) + ' s' : Math.round(n / 60000) + ' min';
const many = (n, one, more = one + 's') => `${num(n)} ${n === 1 ? one : more}`;
const two = n => String(n).padStart(2, '0');
const clock = (t, fine) => { const d = new Date(t); return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}` + (fine ? '.' + String(d.getMilliseconds()).padStart(3, '0') : ''); };
const day = t => { const d = new Date(t); return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`; };
const exact = t => `${day(t)} ${clock(t, true)}`;
let skew = 0;
const ago = t => {
  const s = (Date.now() + skew - t) / 1000;
  return s < 5 ? 'now' : s < 60 ? Math.floor(s) + ' s' : s < 3600 ? Math.floor(s / 60) + ' min' : s < 86400 ? Math.floor(s / 3600) + ' h' : day(t);
};
const time = t => h('time', { datetime: new Date(Math.min(t, 8e15)).toISOString(), title: exact(t), 'data-t': t, 'data-exact': exact(t) }, ago(t));
const tokens = t => t.in == null && t.out == null ? null : `${num(t.in)} in${t.cached ? ` (${num(t.cached)} cached)` : ''} / ${num(t.out)} out${t.reasoning ? ` (${num(t.reasoning)} reasoning)` : ''}`;

// The route: #/VIEW/SELECTION/REPORT?q=…&tab=…
const LISTS = ['sessions', 'interactions', 'users'];
const VIEWS = [...LISTS, 'figures', 'problems', 'refused', 'faults', 'accounting', 'start'];
const parse = () => {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [view, ...rest] = path.split('/').map(s => { try { return decodeURIComponent(s); } catch { return s; } });
  const params = new URLSearchParams(query);
  const route = { view: VIEWS.includes(view) ? view : 'sessions', key: rest[0] || '', report: rest[1] || '', q: params.get('q') || '', tab: params.get('tab') || '', a: params.get('a') || '' };
  if (route.view === 'interactions') [route.report, route.key] = [route.key, ''];
  return route;
};
const link = to => {
  const r = { view: 'sessions', key: '', report: '', q: route.q, tab: '', a: '', ...to };
  const params = new URLSearchParams();
  for (const name of ['q', 'tab', 'a']) if (r[name]) params.set(name, r[name]);
  return '#/' + [r.view, r.key, r.report].filter(Boolean).map(encodeURIComponent).join('/') + (params.size ? '?' + params : '');
};
let route = { q: '' };
const go = (to, replace) => {
  if (!replace) return void (location.hash = link(to));
  history.replaceState(null, '', link(to));
  moved();
};
const here = to => link({ ...route, ...to });
const find = terms => link({ view: LISTS.includes(route.view) ? route.view : 'interactions', q: terms });
const quoted = text => `"${text.replace(/["\\]/g, '\\$&')}"`;

// The API
const zone = () => -new Date().getTimezoneOffset();
const url = (path, params) => { const p = new URLSearchParams(params); return path + (p.size ? '?' + p : ''); };
const ask = async (path, params, options) => {
  let answer;
  try {
    answer = await fetch(url(path, params), options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw { message: 'the collector does not answer', status: 0 };
  }
  const text = await answer.text();
  let body;
  try { body = JSON.parse(text); } catch { body = { error: text.slice(0, 400) }; }
  if (!answer.ok) throw { message: body.error || answer.statusText, at: body.at, status: answer.status };
  return body;
};
const write = (method, path, body, type = 'application/json') => ask(path, {}, { method, body, headers: { 'content-type': type } });
const attempt = async (work, done) => {
  try { const got = await work(); if (done) toast(typeof done === 'function' ? done(got) : done); return got; } catch (error) { toast('Failed: ' + error.message); }
};
let toastTimer;
const toast = text => {
  $('toast').textContent = visible(text);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $('toast').textContent = '', 4000);
};
const copy = async (text, what = 'Copied') => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h('textarea', { readonly: true });
    document.body.append(area);
    area.value = text;
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  toast(what);
};
const copier = (text, label = 'Copy') => h('button.small', { type: 'button', onclick: () => copy(text) }, label);

// Keeps the elements of what has not changed, so that focus, scroll and open parts stay.
const keyed = (parent, items) => {
  const old = new Map([...parent.children].map(el => [el.dataset.key, el]));
  let at = parent.firstElementChild;
  for (const { key, sign, make } of items) {
    let el = old.get(String(key));
    if (!el || el.sign !== sign) {
      const fresh = make();
      fresh.dataset.key = key;
      fresh.sign = sign;
      if (el) {
        const focused = el === document.activeElement;
        if (at === el) at = el.nextElementSibling;
        el.remove();
        parent.insertBefore(fresh, at);
        if (focused) fresh.focus({ preventScroll: true });
      } else parent.insertBefore(fresh, at);
      old.delete(String(key));
      continue;
    }
    old.delete(String(key));
    if (el === at) at = at.nextElementSibling;
    else parent.insertBefore(el, at);
  }
  for (const el of old.values()) el.remove();
};

// Pieces
const badge = (kind, text, title) => h('span.badge' + (kind ? '.' + kind : ''), { title }, text);
const empty = (title, ...kids) => h('.empty', {}, h('h2', {}, title), kids);
const menu = (label, ...items) => h('details.menu', { onfocusout: e => { if (e.relatedTarget && !e.currentTarget.contains(e.relatedTarget)) e.currentTarget.open = false; } },
  h('summary.small', { 'aria-keyshortcuts': 'e' }, label), h('.items', {}, items));
const download = (label, path, params) => h('a', { href: url(path, params), download: true }, label);
const worst = problems => ['error', 'warning', 'note'].find(level => problems.some(p => p.level === level));
const who = user => user ? user.label : 'unknown user';
const problemBadge = n => n ? badge('warn', '⚠ ' + n, many(n, 'problem')) : null;
const outcome = s => {
  const bad = s.outcome && s.outcome !== 'answered' || s.status >= 400;
  return badge(bad ? 'bad' : '', [s.outcome || 'outcome unknown', s.status >= 400 && s.status].filter(Boolean).join(' '));
};
const bars = (buckets, { label, to, height = 56, marks = [] }) => {
  const most = Math.max(1, ...buckets.map(b => b.count));
  const width = 100 / Math.max(1, buckets.length);
  const box = svg('svg', { class: 'bars', viewBox: `0 0 100 ${height}`, preserveAspectRatio: 'none', role: to ? null : 'img', 'aria-label': to ? null : label });
  buckets.forEach((b, i) => {
    if (!b.count) return;
    const tall = n => Math.max(1.5, n / most * (height - 2));
    const bar = [svg('title', {}, `${label}: ${to ? to(b).text : ''} ${many(b.count, 'interaction')}, ${b.failed} failed`),
      to && svg('rect', { class: 'hit', x: i * width, y: 0, width, height }),
      svg('rect', { class: 'count', x: i * width + width * .08, y: height - tall(b.count), width: width * .84, height: tall(b.count) }),
      b.failed ? svg('rect', { class: 'failed', x: i * width + width * .08, y: height - tall(b.failed), width: width * .84, height: tall(b.failed) }) : null];
    box.append(to ? svg('a', { href: to(b).href, 'aria-label': bar[0].textContent }, ...bar) : svg('g', {}, ...bar));
  });
  return box;
};

// JSON as received: values stay raw text, so 1e999, 0.10 and repeated names survive.
const TOKEN = /\s*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|([^\s{}[\],:"]+))/y;
const readJson = text => {
  TOKEN.lastIndex = 0;
  const top = { kids: [] }, stack = [top];
  let name = null, last = null;
  for (let m; (m = TOKEN.exec(text));) {
    const into = stack[stack.length - 1];
    const value = v => { into.kids.push({ name, ...v }); name = null; last = into.kids[into.kids.length - 1]; };
    if (m[1] === '{' || m[1] === '[') { value({ open: m[1], kids: [], start: m.index }); stack.push(last); }
    else if (m[1] === '}' || m[1] === ']') { if (stack.length > 1) stack.pop().end = TOKEN.lastIndex; last = null; }
    else if (m[1] === ':') { if (last) { into.kids.pop(); name = last.raw; } }
    else if (m[2] || m[3]) value({ raw: m[2] || m[3] });
  }
  return top.kids[0];
};
const plain = raw => { try { return JSON.parse(raw); } catch { return raw.slice(1, -1); } };
const leaf = raw => {
  if (raw[0] !== '"') return h('span.j-' + (/^[-\d]/.test(raw) ? 'num' : 'word'), {}, raw);
  const text = plain(raw);
  if (text.length > 400 && /^(data:[\w/+.-]+;base64,)?[\w+/=-]{300}/.test(text)) return h('span.j-data', {}, `${text.slice(0, 48)}… ${size(text.length)} of data`);
  return h('span.j-str', {}, '"', long(text, 12), '"');
};
const tree = (json, depth = 0, deep = 2) => {
  const label = json.name ? [h('span.j-name', {}, plain(json.name)), ': '] : null;
  if (!json.kids) return h('.j', {}, label, leaf(json.raw));
  const close = json.open === '{' ? '}' : ']';
  if (!json.kids.length) return h('.j', {}, label, json.open + close);
  let fill = (el, from = 0) => {
    const end = from + 500;
    el.append(...json.kids.slice(from, end).map(k => tree(k, depth + 1, deep)));
    if (json.kids.length > end) el.append(h('button.small', { type: 'button', onclick: e => { e.target.remove(); fill(el, end); } }, `${json.kids.length - end} more`));
  };
  const box = h('details.j', { open: depth < deep, ontoggle: e => { if (e.target === box && box.open && box.children.length < 2) fill(box); } },
    h('summary', {}, label, json.open, h('span.dim', {}, ` ${json.kids.length} `), close));
  if (depth < deep) fill(box);
  return box;
};
const jsonView = (text, deep) => { const json = readJson(text); return h('.json', {}, json ? tree(json, 0, deep) : text); };

// A text, its beginning if it is long, with fenced code in monospace.
const long = (text, most = 40) => {
  const lines = text.split('\n');
  if (lines.length <= most + 4 && text.length <= most * 150) return text;
  let head = lines.slice(0, most).join('\n');
  if (head.length > most * 120) head = head.slice(0, most * 120);
  const rest = h('span', { hidden: true }, text.slice(head.length));
  const more = text.slice(head.length).split('\n').length;
  const button = h('button.small.more', { type: 'button', 'aria-expanded': 'false', onclick: () => {
    rest.hidden = !rest.hidden;
    button.setAttribute('aria-expanded', String(!rest.hidden));
    button.textContent = rest.hidden ? label : 'less';
  } });
  const label = button.textContent = more > 1 ? `${more} more lines` : `${num(text.length - head.length)} more characters`;
  return [head, rest, button];
};
const prose = text => text.split(/^(```.*\n[^]*?(?:^```\s*$|$(?![^])))/m).map(part => {
  const code = /^```(.*)\n([^]*?)(?:^```\s*)?$(?![^])/m.exec(part);
  if (code) return h('pre.code', { 'data-lang': code[1].trim() || null, tabindex: 0 }, long(code[2].replace(/\n$/, '')));
  return part.trim() ? h('.text', {}, long(part.replace(/^\n+|\n+$/g, ''))) : null;
});
const facts = (...items) => h('.facts', {}, items.flat().filter(Boolean).map((item, i) => [i ? ' · ' : null, item]));

const parts = {
  text: p => prose(p.text),
  reasoning: p => h('details.reasoning', {}, h('summary', {}, 'Reasoning', h('span.dim', {}, ` ${many(p.text.split(/\s+/).length, 'word')}`)), prose(p.text)),
  refusal: p => h('.refusal', {}, h('b', {}, 'Refusal '), prose(p.text)),
  toolCall: p => h('.call', {}, h('.call-head', {}, h('span.arrow', { 'aria-hidden': 'true' }, '→'), h('b', {}, p.name), p.id && h('span.dim.id', {}, p.id), !p.isJson && badge('bad', 'arguments are not JSON')),
    p.isJson && p.arguments.length > 120 ? jsonView(p.arguments, 2) : h('pre', {}, long(p.arguments, 12)),
    p.result != null && h('.result', {}, h('span.arrow', { title: 'result' }, '←'), h('pre', {}, long(p.result, 12)))),
  toolResult: p => h('details.call', { open: p.isError }, h('summary.call-head', {}, h('span.arrow', { 'aria-hidden': 'true' }, '←'), h('b', {}, p.name || 'result'), p.isError && badge('bad', 'error'), h('span.peek', {}, p.text.slice(0, 160))), h('pre', {}, long(p.text))),
  image: p => h('figure', {}, p.src && h('a', { href: p.src, target: '_blank', rel: 'noopener' }, h('img', { src: p.src, alt: p.filename || 'image in the report', loading: 'lazy', decoding: 'async' })),
    h('figcaption.dim', {}, ['▣', p.mediaType || 'image', p.bytes > 0 && size(p.bytes), p.filename, !p.src && !p.url && 'not here', p.url && `${p.url.slice(0, 300)} (not fetched)`].filter(Boolean).join(' '))),
  audio: p => [h('.chip', {}, `♪ ${p.mediaType || 'audio'} ${p.bytes ? size(p.bytes) : p.filename || ''}`), p.transcript && prose(p.transcript)],
  file: p => h('.chip', {}, ['▤', p.filename || p.mediaType || 'file', p.bytes > 0 && size(p.bytes), p.url && `${p.url.slice(0, 300)} (not fetched)`].filter(Boolean).join(' ')),
  json: p => h('details.other', {}, h('summary', {}, p.label), jsonView(p.text, 3)),
};
const message = (m, user, side) => {
  const isTool = m.role === 'tool' || m.role === 'function' || m.parts.length && m.parts.every(p => p.kind === 'toolResult');
  const role = isTool ? 'tool' : m.role;
  const name = role === 'user' && user ? who(user) : m.name && !isTool ? m.name : role;
  return h(`.message.${['system', 'developer', 'user', 'assistant', 'tool'].includes(role) ? role : 'other'}`, {},
    h('.role', { title: m.role }, name), h('.body', {}, m.parts.length ? m.parts.map(p => (parts[p.kind] || parts.json)(p)) : h('span.dim', {}, 'empty')), side);
};
const diffView = pieces => h('p.diff', {}, pieces.map(p => p.op === 'same' ? p.text : h(p.op === 'added' ? 'ins' : 'del', {}, p.text)));

const TORN = { interrupted: 'Interrupted: cut off by the provider', abandoned: 'Abandoned: the caller left', refused: 'Refused by the provider' };
const changesView = list => list.map(c => h('span.change', {}, h('b', {}, c.name), ' ', c.from == null ? h('ins', {}, '+ ' + c.to) : c.to == null ? h('del', {}, c.from) : [h('del', {}, c.from), ' → ', h('ins', {}, c.to)]));
const RELATION = t => ({
  start: t.n > 1 ? 'another conversation' : '',
  continued: t.parent && t.parent !== t.n - 1 ? `continues turn ${t.parent}` : '',
  branch: `branch of turn ${t.parent}`,
  again: `same request as turn ${t.parent || 'before'}`,
  edited: `history edited at message ${(t.history?.at ?? 0) + 1}`,
  shortened: `shortened by ${t.history?.removed.length ?? 0}`,
})[t.relation] ?? t.relation;

// One report in a conversation.
const turnView = (t, { selected, threads = 1, alone }) => {
  const s = t.report;
  const relation = alone ? '' : RELATION(t);
  const level = worst(s.problems);
  const to = tab => link({ view: route.view === 'interactions' ? 'interactions' : 'sessions', key: route.view === 'interactions' ? '' : s.sessionKey, report: s.id, tab });
  const folded = t.folded && !alone ? h('details.folded', { ontoggle: async e => {
    const box = e.target;
    if (box.tagName !== 'DETAILS' || !box.classList.contains('folded') || !box.open || box.children.length > 1) return;
    const d = await attempt(() => ask(`/api/reports/${s.id}`));
    if (d && box.children.length < 2) box.append(...d.turn.messages.slice(0, t.folded).map(m => message(m, s.user)));
  } }, h('summary', {}, many(t.folded, 'message') + ' as before')) : null;
  const side = h('.side', {}, s.ttft != null && h('span', { title: 'time to first token' }, `${ms(s.ttft)} first`), s.duration != null && h('span', { title: 'duration' }, ms(s.duration)), s.finish && h('span', { title: 'finish reason' }, s.finish));
  const answers = t.answers.map((choice, i) => h('.choice', {}, t.answers.length > 1 && h('h4', {}, `Choice ${i + 1}`), choice.map(m => message(m))));
  return h('article.turn' + (threads > 1 ? `.t${t.thread % 4}` : '') + (selected ? '.selected' : ''), { id: `turn-${s.id}`, tabindex: -1, 'data-report': s.id, 'aria-label': `Turn ${t.n}` },
    t.newVisit && h('p.visit', {}, h('span', {}, 'A new visit: the session came back after its timeout')),
    !alone && h('header', {}, h('h3', {}, h('a', { href: to('conversation'), title: 'This interaction' }, `${t.n}`)),
      h('time', { title: exact(s.requested ?? s.received) }, clock(s.requested ?? s.received, true)),
      threads > 1 && badge('', `thread ${t.thread + 1}`), relation && badge(['edited', 'shortened'].includes(t.relation) ? 'warn' : 'info', relation),
      s.model && h('span.dim', {}, s.model), changesView(t.changes),
      h('.links', {}, s.attempts > 1 && h('a.badge', { href: to('delivery') }, many(s.attempts, 'attempt')), s.problems.length > 0 && h('a.badge.' + (level === 'error' ? 'bad' : level === 'warning' ? 'warn' : 'info'), { href: to('checks') }, many(s.problems.length, 'check')), h('a.small', { href: to('report'), 'aria-keyshortcuts': 'r' }, 'Raw'))),
    folded,
    t.history && h('.history', {}, t.history.diff ? diffView(t.history.diff) : h('details', {}, h('summary', {}, `${many(t.history.removed.length, 'message')} removed${t.history.added.length ? ', ' + t.history.added.length + ' in place' : ''}`), t.history.removed.map(m => h('.removed', {}, message(m, s.user))), t.history.added.map(m => h('.added', {}, message(m, s.user))))),
    t.isConversation ? null : opaque(s),
    t.messages.map(m => message(m, s.user)),
    answers.length > 1 ? h('.choices', {}, answers) : answers,
    t.torn && !(t.error && t.torn === 'refused') && h('p.torn', {}, TORN[t.torn] || `Outcome: ${t.torn}`),
    t.error && h('.error', {}, h('b', {}, s.status >= 400 ? `Error ${s.status} ` : 'Error '), t.error),
    s.truncated && h('p.dim', {}, badge('warn', 'truncated'), ' Not all of it was reported.'),
    h('footer', {}, facts(s.status && s.status !== 200 && `status ${s.status}`, s.ttft != null && `${ms(s.ttft)} to first token`, s.duration != null && `${ms(s.duration)} in all`, tokens(s.tokens), s.finish, s.streamed && (s.chunks ? `streamed, ${many(s.chunks, 'chunk')}` : 'streamed'), s.has.includes('choices') && 'several choices')));
};
const opaque = s => {
  const box = h('.opaque', {}, h('p.dim', {}, `A report of format ${s.format}, type ${s.type}, as JSON:`));
  attempt(() => rawText(s.id)).then(text => text && box.append(jsonView(text, 3)));
  return box;
};
const rawText = async id => {
  const answer = await fetch(`/api/reports/${id}/raw`);
  if (!answer.ok) throw { message: (await answer.json()).error };
  return answer.text();
};

// Lists
const sessionRow = s => ({
  key: s.key, sign: JSON.stringify([s, route.q, s.key === route.key, s.closesAt > Date.now()]),
  make: () => h('a.row', { href: link({ view: 'sessions', key: s.key }), 'aria-current': s.key === route.key && 'true' },
    h('.line', {}, h('span.what' + (s.asked ? '' : '.dim'), {}, s.asked || '(no words of a user)'), time(s.lastActive)),
    h('.line.sub', {}, h('span.cut', {}, h('span.' + (s.user ? 'user' : 'unknown'), {}, who(s.user)), s.users > 1 && ` + ${s.users - 1}`, ' · ', s.key === '~none' ? 'no session' : s.label, s.models.length > 0 && ` · ${s.models.join(', ')}`), h('span.num', {}, [many(s.interactions, 'turn'), s.tokens.in != null && num((s.tokens.in || 0) + (s.tokens.out || 0)) + ' tok'].filter(Boolean).join(' · ')), s.open && h('span.open', { title: s.closesAt ? `open, closes at ${clock(s.closesAt)}` : 'open' }, h('span.hide', {}, 'open'))),
    h('.badges', {}, s.users > 1 && badge('bad', many(s.users, 'user')), s.failed > 0 && badge('bad', `${s.failed} failed`), s.interrupted > 0 && badge('warn', `${s.interrupted} interrupted`), s.truncated > 0 && badge('warn', 'truncated'), s.tools > 0 && badge('', many(s.tools, 'tool call')), s.has.includes('image') && badge('', 'image'), s.has.includes('refusal') && badge('warn', 'refusal'), s.visits > 1 && badge('', many(s.visits, 'visit')), problemBadge(s.problems))),
});
const reportRow = s => ({
  key: s.id, sign: JSON.stringify([s, route.q, String(s.id) === route.report]),
  make: () => h('a.row.report', { href: link({ view: 'interactions', report: s.id }), 'aria-current': String(s.id) === route.report && 'true' },
    h('span.num.dim', {}, s.id), time(s.requested ?? s.received), h('span.what.cut', {}, s.asked || s.answered || s.type), h('span.cut.c4', {}, s.user ? who(s.user) : h('span.unknown', {}, 'unknown')), h('span.cut.c5', {}, s.sessionKey === '~none' ? '–' : s.sessionLabel), h('span.cut.c2', {}, s.model || s.format), outcome(s),
    h('span.num.c3', { title: 'to the first token' }, ms(s.ttft)), h('span.num.c3', { title: 'duration' }, ms(s.duration)), h('span.num.c2', { title: 'tokens in / out' }, `${num(s.tokens.in)} / ${num(s.tokens.out)}`), h('span.cut.c5', {}, s.finish || '–'), h('span.num.c5', {}, size(s.bytes)), h('span.marks', {}, s.attempts > 1 && badge('info', `×${s.attempts}`, many(s.attempts, 'attempt')), s.problems.some(p => p.level !== 'note') && badge(worst(s.problems) === 'error' ? 'bad' : 'warn', '⚠', s.problems.map(p => p.text).join('\n')))),
});
const userRow = u => {
  const key = u.user ? u.user.key : '~none';
  return { key, sign: JSON.stringify([u, route.q, key === route.key]), make: () => h('a.row', { href: link({ view: 'users', key }), 'aria-current': key === route.key && 'true' },
    h('.line', {}, h('span.what' + (u.user ? '' : '.unknown'), {}, who(u.user)), time(u.lastSeen)),
    h('.line.sub', {}, h('span.cut', {}, u.user ? [u.user.userId || u.user.email, u.user.isAuthenticated ? 'authenticated' : 'not authenticated'].filter(Boolean).join(' · ') : 'Reconify makes a new user of each'), h('span.num', {}, `${many(u.sessions, 'session')} · ${many(u.interactions, 'turn')} · ${num((u.tokens.in || 0) + (u.tokens.out || 0))} tok`)),
    h('.badges', {}, u.failed > 0 && badge('bad', `${u.failed} failed`), problemBadge(u.problems))) };
};
const KINDS = {
  sessions: { path: '/api/sessions', row: sessionRow, rows: 'sessions', noun: 'session' },
  interactions: { path: '/api/reports', row: reportRow, rows: 'reports', noun: 'interaction' },
  users: { path: '/api/users', row: userRow, rows: 'users', noun: 'user' },
};

// State of what is shown
let status = null, limit = 200, shown = { view: '', q: null }, listAbort, drawn = '', lastId = 0, waiting = 0, paused = false, follow = false, lostAt = 0, fails = null;

const start = () => {
  const origin = location.origin;
  const variables = `export RECONIFY_ENDPOINT=${origin}/track\nexport RECONIFY_APP_KEY=any RECONIFY_API_KEY=any`;
  const curl = `curl ${origin}/track -H 'content-type: application/json' -d '{"reconify":{"format":"openai","type":"chat","version":"1.0.0","appKey":"any","apiKey":"any"},"timestamps":{"request":${Date.now()},"response":${Date.now() + 900}},"session":"first","sessionTimeout":null,"user":{"userId":"me"},"request":{"model":"gpt-4o","messages":[{"role":"user","content":"Hello?"}]},"response":{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}]}}'`;
  const step = (title, code) => [h('h3', {}, title), h('.copy', {}, h('pre', { tabindex: 0 }, code), copier(code))];
  return h('.page.narrow', {}, h('h2', {}, status?.reports ? 'How reports get here' : 'Nothing has come yet'),
    h('p', {}, 'This collector stands in for Reconify on this machine. It shows what an application would report, checks it, and sends nothing on.'),
    step('1. Let an application report here', variables),
    status?.keys && h('p', {}, 'Keys are checked: use COLLECTOR_APP_KEY and COLLECTOR_API_KEY of this collector.'),
    step('2. Or send one report by hand', curl),
    h('h3', {}, '3. Or look at an example'),
    h('.buttons', {}, h('button.primary', { type: 'button', onclick: async () => { const done = await attempt(() => write('POST', '/api/example')); if (done) go({ view: 'sessions', key: done.sessionKey, q: '' }); } }, 'Send an example'),
      h('label.button', {}, 'Import an export', h('input.hide', { type: 'file', accept: '.json,.jsonl', onchange: async e => {
        const file = e.target.files[0];
        if (file) await attempt(() => write('POST', '/api/import', file, file.name.endsWith('l') ? 'application/x-ndjson' : 'application/json'), r => `${r.imported} imported, ${r.known} known, ${r.refused} refused${r.errors[0] ? ': ' + r.errors[0] : ''}`);
      } }))),
    h('h3', {}, 'In a terminal, in a test'),
    h('.copy', {}, h('pre', { tabindex: 0 }, `curl -N ${origin}/api/events?format=line\ncurl '${origin}/api/wait?q=session:first&count=1&timeout=5s'`)),
    h('p.dim', {}, status ? `${status.name} ${status.version}, ${status.store === 'memory' ? 'in memory' : 'in a file'}: keeps ${num(status.limits.reports)} reports or ${size(status.limits.bytes)}, the oldest make room. ${status.strict ? 'Strict: refuses whatever the wire contract forbids. ' : ''}` : '', h('a', { href: '/api/openapi.json' }, 'API')));
};

const emptyList = got => {
  if (status && !status.reports && !route.q) {
    if (status.refused) return empty(`${many(status.refused, 'report')} came, all refused`, h('p', {}, h('a', { href: link({ view: 'refused' }) }, 'See why')));
    return start();
  }
  return empty(`0 of ${num(got.total)}`, h('p', {}, route.q ? 'Nothing matches the search.' : 'Nothing here.'), route.q && h('button', { type: 'button', onclick: () => search('') }, 'Clear the search'));
};

const drawList = got => {
  const kind = KINDS[route.view], rows = got[kind.rows];
  const q = { q: route.q, tz: zone() };
  const count = route.q ? `${num(got.matched)} of ${num(got.total)}` : many(got.total, kind.noun);
  const sign = JSON.stringify([route.view, count, route.q, follow, figures]);
  if ($('head').sign !== sign) {
    $('head').sign = sign;
    const wasOpen = $('head').querySelector('details')?.open;
    $('head').replaceChildren(h('h2', {}, count), figures ? h('a.strip', { href: link({ view: 'figures' }), title: 'Figures' }, strip(figures)) : '',
      h('button.small', { type: 'button', 'aria-pressed': String(follow), 'aria-keyshortcuts': 'f', onclick: toggleFollow, title: 'Open the newest as it comes (f)' }, 'Follow'),
      menu('Export', ['json', 'jsonl', 'csv'].map(format => download({ json: 'JSON', jsonl: 'JSON Lines', csv: 'CSV' }[format], '/api/reports', { ...q, format })), h('button', { type: 'button', onclick: async () => {
        if (confirm(route.q ? `Delete the reports that match ${route.q}?` : 'Delete all reports?')) { await attempt(() => write('DELETE', url('/api/reports', { q: route.q || '*', tz: zone() })), r => `${r.deleted} deleted`); }
      } }, 'Delete these…')));
    if (wasOpen) $('head').querySelector('details').open = true;
  }
  document.body.classList.toggle('nothing', !rows.length && !status?.reports);
  if (!rows.length) return void $('rows').replaceChildren(emptyList(got));
  for (const el of [...$('rows').children]) if (!el.dataset.key) el.remove();
  const more = got.next || rows.length >= limit && limit < 1000 && got.matched > rows.length;
  keyed($('rows'), [...rows.map(kind.row), ...(more ? [{ key: ' more', sign: limit, make: () => h('button.more-rows', { type: 'button', onclick: () => { limit = Math.min(1000, limit * 2); refresh(); } }, limit < 1000 ? 'Show more' : 'The rest: narrow the search') }] : [])]);
  tick();
};
const strip = f => [bars(f.series, { label: 'by time', height: 20 }), h('span', {}, `${num(f.tokens.in)} in / ${num(f.tokens.out)} out`), f.ttft.count > 0 && h('span.w3', { title: 'time to the first token' }, `first p50 ${ms(f.ttft.p50)} p95 ${ms(f.ttft.p95)}`), f.duration.count > 0 && h('span.w3', { title: 'duration' }, `time p50 ${ms(f.duration.p50)} p95 ${ms(f.duration.p95)}`), f.failed > 0 && h('span.red', {}, `${f.failed} failed`)].filter(Boolean);

// Detail: a session, a report, a user
const TABS = { conversation: 'Conversation', request: 'Request', response: 'Response', report: 'Report', checks: 'Checks', delivery: 'Delivery', difference: 'Difference' };
const heading = (title, sub, ...actions) => h('header.head', {}, h('a.back', { href: route.tab && route.view === 'sessions' ? link({ key: route.key }) : link({ view: route.view }), 'aria-label': 'Back' }, '‹'), h('.titles', {}, h('h2', { tabindex: -1 }, title), h('.sub', {}, sub)), h('.actions', {}, actions));
const linkCopier = () => h('button.small', { type: 'button', 'aria-keyshortcuts': 'y', onclick: () => copy(location.href, 'Link copied') }, 'Copy link');

const sessionHead = (t) => {
  const row = t.row, isNone = t.key === '~none';
  const users = t.users.length ? t.users.map(who).join(', ') : 'unknown user';
  return heading(isNone ? 'Without a session' : t.label, [h('span' + (t.users.length ? '.user' : '.unknown'), {}, users), ' · ', many(t.turns.length, 'turn'), row && row.tokens.in != null ? ` · ${num(row.tokens.in)} in / ${num(row.tokens.out)} out` : '', row && !isNone && (row.open ? row.closesAt ? ` · open, closes at ${clock(row.closesAt)}` : ' · open' : ' · closed')],
    linkCopier(), menu('Export', ...[['md', 'Markdown'], ['json', 'JSON'], ['jsonl', 'JSON Lines'], ['csv', 'CSV']].map(([format, label]) => download(label, `/api/sessions/${encodeURIComponent(t.key)}`, { format }))));
};
const drawSession = t => {
  const detail = $('detail'), id = 's' + t.key;
  const top = [{ key: 'head', sign: JSON.stringify([t.row, t.users, t.turns.length, route.q]), make: () => sessionHead(t) }];
  if (t.users.length > 1) top.push({ key: 'users', sign: t.users.length, make: () => h('p.banner.bad', {}, `${t.users.length} users in one session: ${t.users.map(u => u.label).join(', ')}`) });
  if (t.omitted) top.push({ key: 'omitted', sign: t.omitted, make: () => h('p.banner', {}, `${many(t.omitted, 'older turn')} left out. The exports have all.`) });
  if (drawn !== id) { detail.replaceChildren(); detail.scrollTop = 0; }
  keyed(detail, [...top, ...t.turns.map(turn => ({ key: turn.report.id, sign: JSON.stringify([turn, t.threads, String(turn.report.id) === route.report, route.q]), make: () => turnView(turn, { threads: t.threads, selected: String(turn.report.id) === route.report }) }))]);
  const isNew = drawn !== id + '/' + route.report && drawn !== id;
  drawn = id;
  if (isNew && route.report) $('turn-' + route.report)?.scrollIntoView({ block: 'start' });
  if (follow) detail.scrollTop = detail.scrollHeight;
};

const attemptsTable = list => h('.scroll-x', {}, h('table', {}, h('thead', {}, h('tr', {}, ['', 'Time', 'Answered', 'Fault', 'idempotency-key', 'User agent', 'Bytes'].map(t => h('th', {}, t)))), h('tbody', {}, list.map((a, i) => h('tr' + (a.sameBytes ? '' : '.red'), {}, h('td.num', {}, i + 1), h('td', { title: exact(a.at) }, clock(a.at, true)), h('td', {}, badge(a.status == null || a.status >= 400 ? 'bad' : 'good', a.status ?? 'nothing')), h('td', {}, a.fault || '–'), h('td.mono', {}, a.key || '–'), h('td', {}, a.userAgent || '–'), h('td.num', {}, size(a.bytes), !a.sameBytes && ' other bytes'))))));
const subtree = (text, name) => {
  const json = readJson(text), kid = json?.kids?.find(k => k.name && plain(k.name) === name);
  return kid ? h('.json', {}, tree({ ...kid, name: null }, 0, 3)) : empty('Not in the report');
};
const tabBody = async (d, tab) => {
  const s = d.summary;
  if (tab === 'conversation') return d.turn ? turnView(d.turn, { alone: true }) : empty('No conversation');
  if (tab === 'checks') {
    if (!s.problems.length) return empty('No problem found');
    return h('ul.checks', {}, s.problems.map(p => h('li', {}, badge({ error: 'bad', warning: 'warn' }[p.level] || 'info', p.level), ' ', h('a', { href: link({ view: 'interactions', q: 'has:' + p.check }), title: 'All with this problem' }, p.check), h('.text', {}, p.text))));
  }
  if (tab === 'delivery') return h('', {}, h('h3', {}, many(d.attempts.length, 'attempt')), d.attempts.length ? attemptsTable(d.attempts) : h('p.dim', {}, 'It came by an import or is an example.'),
    facts(d.lag != null && `arrived ${ms(Math.abs(d.lag))} ${d.lag < 0 ? 'before' : 'after'} the response`, `received ${exact(s.received)}`, `key ${s.key}`, s.process && `process ${s.process}`),
    d.files.length > 0 && [h('h3', {}, 'Detached images'), h('ul', {}, d.files.map(f => h('li', {}, f.filename, ' ', f.upload ? h('a', { href: link({ view: 'interactions', report: f.upload, q: '' }) }, `upload #${f.upload}`) : badge('warn', 'not uploaded'))))]);
  if (tab === 'difference') {
    const a = route.a || d.previous;
    const form = h('form.buttons', { onsubmit: e => { e.preventDefault(); go({ ...route, tab, a: e.target.elements.a.value }); } }, h('label', {}, 'Compare with report ', h('input', { name: 'a', type: 'number', min: 1, required: true, value: a || '' })), h('button.small', {}, 'Compare'));
    if (!a) return h('', {}, form, empty('The first of its session', h('p', {}, 'Choose another report to compare with.')));
    const c = await ask('/api/compare', { a, b: s.id });
    return h('', {}, form, h('p.dim', {}, `From #${a} to #${s.id}: ${many(c.common, 'message')} equal from the beginning.`), h('p.changes', {}, c.changes.length ? changesView(c.changes) : h('span.dim', {}, 'Same model, parameters and tools.')),
      c.diff && c.diff.length ? diffView(c.diff) : c.tooLarge && h('p.dim', {}, 'The texts are too long to compare word by word.'),
      h('details', {}, h('summary', {}, `${c.removed.length} removed, ${c.added.length} added`), c.removed.map(m => h('.removed', {}, message(m))), c.added.map(m => h('.added', {}, message(m)))));
  }
  if (!d.visibleRaw) return empty(`The report has ${size(s.bytes)}`, h('p', {}, download('Download it', `/api/reports/${s.id}/raw`, { download: 1 })));
  const text = await rawText(s.id);
  if (tab === 'request') return h('', {}, d.parameters.length > 0 && h('dl.params', {}, d.parameters.map(p => [h('dt', {}, p.name), h('dd.mono', {}, long(p.value, 6))])), subtree(text, 'request'), d.curl && [h('h3', {}, 'Ask the model again'), h('.copy', {}, h('pre', { tabindex: 0 }, long(d.curl, 12)), copier(d.curl))]);
  if (tab === 'response') return subtree(text, 'response');
  const plainText = h('pre.raw', { hidden: true, tabindex: 0 }, text), json = jsonView(text, 3);
  return h('', {}, h('.buttons', {}, copier(text), h('button.small', { type: 'button', 'aria-pressed': 'false', onclick: e => { plainText.hidden = !plainText.hidden; json.hidden = !plainText.hidden; e.target.setAttribute('aria-pressed', String(json.hidden)); } }, 'As received'), h('span.dim', {}, `${size(s.bytes)}; keys are masked`)), json, plainText);
};
const drawReport = async d => {
  const s = d.summary, tab = TABS[route.tab] ? route.tab : 'conversation';
  const body = await tabBody(d, tab);
  const id = `r${s.id}/${tab}/${route.a}`, top = drawn === id ? $('detail').scrollTop : 0;
  drawn = id;
  const at = id => link({ view: 'interactions', report: id });
  $('detail').replaceChildren(
    heading(`Interaction ${s.id}`, [h('span' + (s.user ? '.user' : '.unknown'), {}, who(s.user)), ' · ', s.sessionKey === '~none' ? 'no session' : h('a', { href: link({ key: s.sessionKey, report: s.id }) }, s.sessionLabel), ` · ${[s.model, s.type, s.operation !== s.type && s.operation, exact(s.requested ?? s.received)].filter(Boolean).join(' · ')} `, outcome(s), Object.entries(s.tags).map(([k, v]) => [' ', badge('', `${k}=${v}`)])],
      d.previous && h('a.small', { href: at(d.previous) }, '‹ Previous'), d.next && h('a.small', { href: at(d.next) }, 'Next ›'), linkCopier(),
      menu('Export', download('Report as received', `/api/reports/${s.id}/raw`, { download: 1 }), ...['json', 'csv'].map(format => download(format.toUpperCase(), '/api/reports', { q: `key:${quoted(s.key)}`, format })), d.curl && h('button', { type: 'button', onclick: () => copy(d.curl) }, 'Copy as curl'))),
    h('nav.tabs', { 'aria-label': 'Parts of the report' }, Object.entries(TABS).map(([key, label]) => h('a', { href: here({ report: s.id, key: route.view === 'sessions' ? route.key : '', tab: key, a: '' }), 'aria-current': key === tab && 'page' }, label, key === 'checks' && s.problems.length > 0 && h('span.count', {}, s.problems.length), key === 'delivery' && s.attempts > 1 && h('span.count', {}, s.attempts)))),
    h('.tab', {}, body));
  $('detail').scrollTop = top;
};
const drawUser = async key => {
  const q = key === '~none' ? 'is:anonymous' : `user:${quoted(key)}`;
  const got = await ask('/api/sessions', { q, limit: 200 });
  drawn = 'u' + key;
  const first = got.sessions[0]?.user;
  $('detail').replaceChildren(heading(key === '~none' ? 'Unknown user' : first ? who(first) : key, [many(got.matched, 'session'), ' · ', h('a', { href: link({ view: 'interactions', q }) }, 'interactions'), ' · ', h('a', { href: link({ view: 'figures', q }) }, 'figures')], linkCopier()),
    h('.rows', {}, got.sessions.map(s => sessionRow(s).make())));
};

// Pages over the whole width
const page = (title, ...kids) => h('.page', {}, h('h2', { tabindex: -1 }, title), kids);
const PRESETS = [['503 twice', { status: 503, times: 2 }], ['429, retry after 3 s', { status: 429, retry_after: '3s' }], ['401', { status: 401 }], ['500 for every fifth', { status: 500, times: 0, probability: 20 }], ['2 s late', { delay: '2s' }], ['No answer', { hang: true }], ['Reset', { reset: true }], ['Broken off', { after_bytes: 5 }], ['Not JSON', { garbage: true }]];
const arm = async fault => { if (await attempt(() => write('POST', '/api/faults', fault), 'Armed')) refresh(); };
const PAGES = {
  start: async () => start(),
  problems: async () => {
    const { problems } = await ask('/api/problems', { q: route.q, tz: zone() });
    return page('Problems', problems.length ? h('.rows', {}, problems.map(p => h('a.row', { href: link({ view: 'interactions', q: `has:${p.check}${route.q ? ' ' + route.q : ''}` }) }, h('.line', {}, badge({ error: 'bad', warning: 'warn' }[p.level] || 'info', p.level), h('span.what', {}, p.title), h('b.num', {}, num(p.count)), time(p.newest)), h('.line.sub.mono', {}, `has:${p.check}`)))) : empty('No problem found', h('p.dim', {}, route.q ? 'In what matches the search.' : `In ${many(status?.interactions ?? 0, 'interaction')}.`)));
  },
  refused: async () => {
    const got = await ask('/api/refused', { limit: 200 });
    return page('Refused', h('p.dim', {}, `${many(got.total, 'post')} answered 4xx since the start; ${num(got.kept)} kept. The sender does not repeat them.`), got.kept > 0 && h('.buttons', {}, h('button.small', { type: 'button', onclick: () => attempt(() => write('DELETE', '/api/refused'), 'Forgotten') }, 'Forget them')),
      got.refused.length ? got.refused.map(r => h('article.card', {}, h('header', {}, badge('bad', r.status), h('b', {}, r.reason), h('span.dim.mono', {}, r.path), time(r.at)),
        r.fields.length > 0 && h('.scroll-x', {}, h('table', {}, h('thead', {}, h('tr', {}, ['Field', 'Found', 'Expected'].map(t => h('th', {}, t)))), h('tbody', {}, r.fields.map(f => h('tr', {}, h('td.mono', {}, f.pointer || '(the whole)'), h('td.mono', {}, f.found), h('td', {}, f.expected)))))),
        facts(size(r.bytes), r.key && `key ${r.key}`, r.userAgent), r.head && h('details', {}, h('summary', {}, 'First bytes'), h('pre', { tabindex: 0 }, r.head)))) : empty('Nothing was refused'));
  },
  faults: async () => {
    const { faults } = await ask('/api/faults');
    return page('Faults', h('p', {}, 'What the collector does wrong on purpose, to test what delivers to it. Faults are tried in order, counted down, and shown under Delivery.'),
      h('h3', {}, 'Armed'), faults.length ? [h('ul.checks', {}, faults.map(f => h('li', {}, h('b', {}, f.text), ` · ${f.left == null ? 'until disarmed' : f.left + ' left'} · used ${f.used} `, h('code', {}, JSON.stringify(f.fault))))), h('button', { type: 'button', onclick: async () => { await attempt(() => write('DELETE', '/api/faults'), 'Disarmed'); refresh(); } }, 'Disarm all')] : h('p.dim', {}, 'None.'),
      h('h3', {}, 'Arm one'), h('.buttons', {}, PRESETS.map(([label, fault]) => h('button', { type: 'button', onclick: () => arm(JSON.stringify(fault)) }, label))),
      h('form', { onsubmit: e => { e.preventDefault(); arm(e.target.elements.fault.value); } }, h('label', { for: 'fault' }, 'Or as JSON: status, body, delay, hang, reset, after_bytes, garbage, retry_after, times, probability, match, seed'), h('textarea.mono', { id: 'fault', name: 'fault', rows: 3, required: true }, '{"status": 503, "times": 2, "match": "session:first"}'), h('button.primary', {}, 'Arm')));
  },
  accounting: async () => {
    const a = await ask('/api/accounting');
    const bar = p => {
      const all = Math.max(1, p.captured), box = h('.bar', { role: 'img', 'aria-label': `arrived ${p.arrived}, dropped ${p.dropped}, withheld ${p.withheld}, missing ${p.missing}` });
      for (const name of ['arrived', 'dropped', 'withheld', 'missing']) { const el = h('span.' + name, { title: `${name} ${p[name]}` }); el.style.flexGrow = Math.max(0, p[name]) / all; box.append(el); }
      return box;
    };
    return page('Accounting', h('p', {}, 'What applications captured, beside what arrived. Missing reports are waiting, rejected, gone by retention or lost.'),
      a.processes.length ? a.processes.map(p => h('article.card', {}, h('header', {}, h('b.mono', {}, p.process), h('span.dim', {}, `${many(p.captured, 'capture')}`), time(p.lastSeen)), bar(p), h('p.legend', {}, ['arrived', 'dropped', 'withheld', 'missing'].map(n => h('span.key.' + n, {}, `${n} ${num(p[n])}`))))) : h('p.dim', {}, 'No report has metadata.reporter: turn on metadata in the application (RECONIFY_METADATA=1).'),
      a.stats && [h('h3', {}, 'The reporter of this process'), jsonView(JSON.stringify(a.stats), 3)],
      h('h3', {}, 'Answered by this collector'), h('dl.params', {}, Object.entries({ ok: 'taken', repeated: 'taken, but known', refused: 'refused', faulted: 'met a fault', failed: 'not stored' }).map(([k, label]) => [h('dt', {}, label), h('dd.num', {}, num(a.answered[k]))])),
      h('h3', {}, 'Came, but only met faults'), a.undelivered.length ? a.undelivered.map(u => h('article.card', {}, h('header', {}, h('b.mono', {}, u.key)), attemptsTable(u.attempts))) : h('p.dim', {}, 'None.'));
  },
  figures: async () => {
    const f = await ask('/api/figures', { q: route.q, tz: zone(), buckets: 60 });
    const within = (name, b) => ({ href: link({ view: 'figures', q: `${route.q} ${name}>=${b.from} ${name}<${b.to}`.trim() }), text: `${ms(b.from)} to ${ms(b.to)}` });
    const during = b => ({ href: link({ view: 'figures', q: `${route.q.replace(/\b(after|before):\S+ ?/g, '')} after:${b.from} before:${b.to}`.trim() }), text: `${exact(b.from)} to ${exact(b.to)}` });
    const plot = (title, buckets, to, p) => h('.card', {}, h('h3', {}, title), buckets.length ? [bars(buckets, { label: title, to, height: 56 }), h('.axis', {}, h('span', {}, p ? ms(buckets[0].from) : clock(buckets[0].from)), h('span', {}, p ? ms(buckets.at(-1).to) : clock(buckets.at(-1).to)))] : h('p.dim', {}, 'Not measured.'), p && p.count > 0 && h('p.legend', {}, ['p50', 'p95', 'p99', 'max'].map(k => h('span', {}, h('span.dim', {}, k + ' '), ms(p[k])))));
    const list = (title, items, name) => items.length > 0 && h('.card', {}, h('h3', {}, title), h('ul.ranks', {}, items.slice(0, 12).map(i => { const el = h('span.fill'); el.style.width = `${i.count / items[0].count * 100}%`; return h('li', {}, el, h('a', { href: find(`${name}:${quoted(i.name)} ${route.q}`.trim()) }, i.name), h('span.num', {}, num(i.count))); })));
    const tile = (label, value, sub) => h('.tile', {}, h('span.dim', {}, label), h('b', {}, value), h('span.dim', {}, sub || ''));
    return page('Figures', h('.tiles', {}, tile('Interactions', num(f.count), route.q ? `of ${num(f.total)}` : ''), tile('Sessions', num(f.sessions), many(f.users, 'user')), tile('Tokens in', num(f.tokens.in), f.tokens.cached ? `${num(f.tokens.cached)} cached` : ''), tile('Tokens out', num(f.tokens.out), f.tokens.reasoning ? `${num(f.tokens.reasoning)} reasoning` : ''), tile('Failed', num(f.failed), f.count ? (f.failed / f.count * 100).toFixed(1) + ' %' : ''), tile('Interrupted', num(f.interrupted), `${num(f.truncated)} truncated`), tile('Problems', num(f.problems)), tile('Bytes', size(f.bytes))),
      f.count ? [plot('Interactions by time, failed in red', f.series, during), h('.columns', {}, plot('Time to the first token', f.ttfts, b => within('ttft', b), f.ttft), plot('Duration', f.durations, b => within('ms', b), f.duration), list('Models', f.models, 'model'), list('Outcomes', f.outcomes, 'outcome'), list('Types', f.types, 'type'))] : empty(`0 of ${num(f.total)}`, route.q && h('button', { type: 'button', onclick: () => search('') }, 'Clear the search')));
  },
};

// Header
const drawHeader = () => {
  const s = status;
  document.title = `${s ? s.name : 'Collector'}${waiting ? ` (${waiting} new)` : ''}`;
  $('name').textContent = s ? visible(s.name) : 'Collector';
  const live = $('live');
  live.className = 'live ' + (lostAt ? 'lost' : paused ? 'paused' : 'on');
  live.textContent = lostAt ? 'offline' : paused ? `paused${waiting ? ', ' + waiting + ' waiting' : ''}` : 'live';
  live.title = paused ? 'Go on (p)' : 'Pause (p)';
  live.setAttribute('aria-pressed', String(paused));
  const label = { sessions: 'Sessions', interactions: 'Interactions', users: 'Users', figures: 'Figures', problems: 'Problems', refused: 'Refused', faults: 'Faults', accounting: 'Accounting', start: 'Start' };
  const counts = s ? { interactions: [s.interactions], problems: [s.problems, 'warn'], refused: [s.refused, 'bad'], faults: [s.faults, 'warn'] } : {};
  keyed($('views'), VIEWS.map((view, i) => ({ key: view, sign: JSON.stringify([route.q, route.view === view, counts[view]]), make: () => h('a', { href: link({ view }), 'aria-current': route.view === view && 'page', 'aria-keyshortcuts': i < 3 ? String(i + 1) : null }, label[view], counts[view]?.[0] > 0 && h('span.count' + (counts[view][1] ? '.' + counts[view][1] : ''), {}, num(counts[view][0]))) })));
  const lines = [];
  if (lostAt) lines.push(h('p.bad', {}, `Not connected since ${clock(lostAt)}, retrying. What is shown stays.`));
  if (s?.storeError) lines.push(h('p.bad', {}, `Nothing can be stored: ${s.storeError}`));
  if (s?.faults) lines.push(h('p.warn', {}, `${many(s.faults, 'fault')} armed: posts are answered wrongly on purpose. `, h('a', { href: link({ view: 'faults' }) }, 'Faults')));
  if (fails) lines.push(h('p.bad', {}, fails, ' ', h('button.small', { type: 'button', onclick: () => refresh() }, 'Try again')));
  const sign = lines.map(l => l.textContent).join('\n');
  if ($('notice').sign !== sign) { $('notice').sign = sign; $('notice').replaceChildren(...lines); }
  $('notice').hidden = !lines.length;
  const pill = $('new').firstChild;
  if (!waiting) pill?.remove();
  else if (pill) pill.textContent = `${num(waiting)} new ↑`;
  else $('new').append(h('button.pill', { type: 'button', onclick: showNew }, `${num(waiting)} new ↑`));
};
const showNew = () => { paused = false; waiting = 0; $('rows').scrollTop = 0; refresh(); };

// Fetches what the route wants; what is shown stays until the new is here.
let figures = null, figuresFor = null, running = null, again = false;
const refresh = () => {
  if (running) { again = true; return running; }
  return running = (async () => {
    do { again = false; await load(); } while (again);
  })().finally(() => running = null);
};
const load = async () => {
  const at = route, isList = LISTS.includes(at.view);
  document.body.dataset.view = at.view;
  document.body.classList.toggle('pages', !isList);
  document.body.classList.toggle('chosen', isList && Boolean(at.key || at.report));
  const q = { q: at.q, tz: zone() };
  const stale = () => at !== route;
  if (shown.view !== at.view || shown.q !== at.q) $('list').setAttribute('aria-busy', 'true');
  listAbort?.abort();
  listAbort = new AbortController();
  try {
    const [now, got] = await Promise.all([ask('/api/status'), isList ? ask(KINDS[at.view].path, { ...q, limit }, { signal: listAbort.signal }) : null]);
    if (stale()) return;
    status = now;
    skew = now.now - Date.now();
    lastId = now.lastId;
    waiting = 0;
    fails = null;
    wrong(null);
    if (isList) {
      if (shown.view !== at.view || shown.q !== at.q) $('rows').scrollTop = 0;
      if (shown.view !== at.view) { $('rows').replaceChildren(); }
      shown = { view: at.view, q: at.q };
      drawList(got);
      loadFigures(at, got);
    }
  } catch (error) {
    if (error.name === 'AbortError' || stale()) return;
    if (error.at != null) wrong(error);
    else fails = error.status === 401 ? error.message : `Could not load: ${error.message}.`;
  }
  $('list').removeAttribute('aria-busy');
  drawHeader();
  await loadDetail(at, stale);
};
let figuresTimer;
const loadFigures = (at, got) => {
  clearTimeout(figuresTimer);
  figuresTimer = setTimeout(async () => {
    try { figures = (await ask('/api/figures', { q: at.q, tz: zone(), buckets: 40 })); } catch { return; }
    if (at === route) drawList(got);
  }, figuresFor === at.q ? 1000 : 30);
  figuresFor = at.q;
};
const loadDetail = async (at, stale) => {
  const isOpen = !LISTS.includes(at.view) || at.key || at.report;
  if (!isOpen) { drawn = ''; $('detail').replaceChildren(); return; }
  try {
    if (PAGES[at.view]) {
      // A half-written fault stays.
      if ($('detail').contains(document.activeElement) && drawn === at.view && document.activeElement.matches('textarea')) return;
      const el = await PAGES[at.view]();
      if (stale()) return;
      const top = drawn === at.view ? $('detail').scrollTop : 0;
      const focused = drawn === at.view && $('detail').contains(document.activeElement) ? [...$('detail').querySelectorAll('a,button,summary,textarea')].indexOf(document.activeElement) : -1;
      const open = [...$('detail').querySelectorAll('details')].map(d => drawn === at.view && d.open);
      drawn = at.view;
      $('detail').replaceChildren(el);
      el.querySelectorAll('details').forEach((d, i) => { if (open[i]) d.open = true; });
      if (focused >= 0) $('detail').querySelectorAll('a,button,summary,textarea')[focused]?.focus();
      $('detail').scrollTop = top;
      tick();
    } else if (at.view === 'users') await drawUser(at.key);
    else if (at.report && (at.tab || at.view === 'interactions')) {
      const d = await ask(`/api/reports/${encodeURIComponent(at.report)}`);
      const sign = JSON.stringify([d, at.tab, at.q, at.key, at.a]);
      if (stale() || $('detail').sign === sign && drawn.startsWith('r')) return;
      $('detail').sign = sign;
      await drawReport(d);
    } else {
      const t = await ask(`/api/sessions/${encodeURIComponent(at.key)}`);
      if (!stale()) drawSession(t);
    }
  } catch (error) {
    if (stale()) return;
    drawn = '';
    const evicted = status?.evicted ? ` The collector keeps ${num(status.limits.reports)} reports or ${size(status.limits.bytes)}, and ${num(status.evicted)} are gone.` : '';
    if (error.status === 404) $('detail').replaceChildren(heading('Not here', error.message), empty('Not here', h('p', {}, error.message + '.' + evicted), h('p', {}, h('a', { href: link({ view: at.view }) }, 'Back to the list'))));
    else if (error.at != null) wrong(error);
    else if (error.status) { $('detail').replaceChildren(heading('Cannot be shown', error.message)); }
    else { fails = `Could not load: ${error.message || error}.`; drawHeader(); if (error instanceof Error) console.error(error); }
  }
  if (wantFocus) { wantFocus = false; $('detail').querySelector('h2')?.focus({ preventScroll: true }); }
};
let wantFocus = false;

// Search
const search = text => { $('q').value = text; go({ ...route, q: text, ...(LISTS.includes(route.view) || route.view === 'figures' || route.view === 'problems' ? {} : { view: 'interactions' }) }, true); };
const wrong = error => {
  const el = $('wrong');
  el.hidden = !error;
  $('q').setAttribute('aria-invalid', String(Boolean(error)));
  $('list').classList.toggle('stale', Boolean(error));
  if (error) { const q = [...route.q]; el.replaceChildren(h('span.dim', {}, q.slice(0, error.at).join('').slice(-30)), h('mark', {}, q.slice(error.at).join('').split(/\s/)[0] || '␣'), ' ' + error.message); }
};
let typing;
$('q').addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(() => search($('q').value), 120); });
$('search').addEventListener('submit', e => { e.preventDefault(); clearTimeout(typing); search($('q').value); });

// Events have ids only.
let events, eventTimer, due = 0;
const changed = async () => {
  const isAway = LISTS.includes(route.view) && (paused || $('rows').scrollTop > 40);
  if (!isAway) return refresh();
  try {
    const got = await ask('/api/reports', { q: route.q, tz: zone(), after: lastId, limit: 1000 });
    status = await ask('/api/status');
    waiting = got.reports.length;
  } catch { return; }
  drawHeader();
  if (!paused && route.key && route.view === 'sessions') loadDetail(route, () => false);
};
const soon = () => {
  if (eventTimer) return;
  eventTimer = setTimeout(async () => { due = Date.now() + 250; await changed(); eventTimer = null; if (missed) { missed = false; soon(); } }, Math.max(20, due - Date.now()));
};
let missed = false;
const happened = () => { if (eventTimer) missed = true; soon(); };
const followNewest = async id => {
  try {
    const d = await ask(`/api/reports/${id}`);
    if (route.view === 'interactions') go({ ...route, report: String(id) }, true);
    else go({ view: 'sessions', key: d.summary.sessionKey, q: route.q }, true);
  } catch { /* It is gone already. */ }
};
const connect = () => {
  events?.close();
  events = new EventSource('/api/events');
  events.addEventListener('hello', () => { lostAt = 0; fails = null; happened(); });
  for (const name of ['attempt', 'refused', 'removed', 'faults', 'resync']) events.addEventListener(name, happened);
  events.addEventListener('report', e => { if (follow && !paused) followNewest(JSON.parse(e.data).id); happened(); });
  events.onerror = () => {
    lostAt ||= Date.now();
    drawHeader();
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  };
};
document.addEventListener('visibilitychange', () => document.hidden ? events?.close() : connect());
const toggleFollow = () => { follow = !follow; toast(follow ? 'Following the newest' : 'Not following'); refresh(); };
const togglePause = () => { paused = !paused; if (!paused) showNew(); drawHeader(); };

// Times that pass
const tick = () => { for (const el of document.querySelectorAll('time[data-t]')) { const text = ago(+el.dataset.t); if (el.textContent !== text) el.textContent = text; } };
setInterval(tick, 10000);

// Keys
const KEYS = [['/', 'search'], ['j k', 'next and previous row; Enter opens'], ['Esc', 'back'], ['[ ]', 'previous and next turn'], ['r', 'raw report'], ['d', 'difference to the request before'], ['c', 'checks'], ['y', 'copy link'], ['e', 'export'], ['f', 'follow the newest'], ['p', 'pause'], ['1 2 3', 'sessions, interactions, users'], ['?', 'this help']];
const SEARCH = [['word "two words" -not', 'what was said, in any case'], ['user: session: model: type: format: outcome: finish: tool: status: process: app: key: tag.NAME:', 'a part of the value, "quoted" the whole, a comma for or'], ['is:', 'failed, streamed, truncated, interrupted, abandoned, refused, answered, anonymous, upload, faulted, repeated'], ['has:', 'tool, image, audio, file, refusal, reasoning, choices, problem, or the name of a check'], ['ttft>500 ms>2000 tokens>4k bytes>1M', 'with < <= > >= ='], ['after:10m before:12:30', 'a time ago, of today, or a date']];
const help = () => {
  const table = list => h('dl.params', {}, list.map(([k, v]) => [h('dt', {}, h('kbd', {}, k)), h('dd', {}, v)]));
  $('help').replaceChildren(h('form', { method: 'dialog' }, h('h2', {}, 'Keys'), table(KEYS), h('h2', {}, 'Search'), table(SEARCH), h('button.primary', {}, 'Close')));
  $('help').querySelector('form').addEventListener('submit', e => { e.preventDefault(); $('help').close(); });
  $('help').showModal();
};
const rowsNow = () => [...document.querySelectorAll(LISTS.includes(route.view) ? '#rows a.row' : '#detail a.row, #detail article.card')];
const step = by => {
  const rows = rowsNow();
  let at = rows.indexOf(document.activeElement);
  if (at < 0) at = rows.findIndex(r => r.getAttribute('aria-current')) - (by < 0 ? 0 : document.activeElement?.closest('#detail') || rows.some(r => r.getAttribute('aria-current')) ? 0 : 0);
  const row = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
  row?.focus();
};
const current = () => {
  const focused = document.activeElement?.closest('[data-report]')?.dataset.report;
  if (focused || route.report) return focused || route.report;
  const turns = [...document.querySelectorAll('#detail .turn')];
  const top = $('detail').getBoundingClientRect().top + 60;
  return (turns.find(t => t.getBoundingClientRect().bottom > top) || turns[0])?.dataset.report;
};
const turnStep = by => {
  const turns = [...document.querySelectorAll('#detail .turn')];
  if (route.tab || turns.length < 2) {
    const a = [...document.querySelectorAll('#detail .actions a.small')].find(a => a.textContent.includes(by < 0 ? '‹' : '›'));
    return a?.click();
  }
  const id = document.activeElement?.closest('.turn')?.dataset.report;
  const at = turns.findIndex(t => t.dataset.report === id);
  const turn = turns[Math.max(0, Math.min(turns.length - 1, at + by))];
  turn?.focus({ preventScroll: true });
  turn?.scrollIntoView({ block: 'start' });
};
const openTab = tab => {
  const id = current();
  if (!id) return;
  if (route.tab === tab) return go({ ...route, tab: '' });
  go({ ...route, report: id, tab });
};
const back = () => {
  const menuOpen = document.querySelector('details.menu[open]');
  if (menuOpen) { menuOpen.open = false; menuOpen.querySelector('summary').focus(); return; }
  const focused = document.activeElement;
  if (focused === $('q')) { if ($('q').value) search(''); else focused.blur(); return; }
  if (route.tab && route.view === 'sessions') return go({ ...route, tab: '', a: '' });
  if (route.key || route.report) {
    const key = route.view === 'interactions' ? route.report : route.key;
    go({ view: route.view });
    [...$('rows').children].find(r => r.dataset.key === key)?.focus();
  } else focused?.blur();
};
const ACTIONS = {
  '/': () => { $('q').focus(); $('q').select(); }, j: () => step(1), k: () => step(-1), '[': () => turnStep(-1), ']': () => turnStep(1), r: () => openTab('report'), d: () => openTab('difference'), c: () => openTab('checks'), y: () => copy(location.href, 'Link copied'),
  e: () => { const m = document.querySelector('#detail details.menu') || document.querySelector('#list details.menu'); if (m) { m.open = true; m.querySelector('.items > *').focus(); } },
  f: toggleFollow, p: togglePause, 1: () => go({ view: 'sessions' }), 2: () => go({ view: 'interactions' }), 3: () => go({ view: 'users' }), '?': help,
};
document.addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey || $('help').open) return;
  if (e.key === 'Escape') { e.preventDefault(); return back(); }
  if (e.target.matches('input, textarea, select')) return;
  const action = ACTIONS[e.key];
  if (action) { e.preventDefault(); action(); }
});
$('live').addEventListener('click', togglePause);
$('keys').addEventListener('click', help);
document.addEventListener('click', e => {
  for (const open of document.querySelectorAll('details.menu[open]')) if (!open.contains(e.target)) open.open = false;
});
$('rows').addEventListener('scroll', () => { if (waiting && !paused && $('rows').scrollTop < 10) showNew(); });

const moved = () => {
  const before = route;
  route = parse();
  if (document.activeElement !== $('q')) $('q').value = route.q;
  if (before.view !== route.view || before.q !== route.q) limit = 200;
  const chosen = route.key + '/' + route.report + '/' + route.tab;
  if (before.view && chosen !== `${before.key}/${before.report}/${before.tab}` && (route.key || route.report) && !follow) wantFocus = true;
  again = true;
  refresh();
};
addEventListener('hashchange', moved);
for (const el of [$('top'), $('views'), document.querySelector('main')]) el.hidden = false;
moved();
connect();
