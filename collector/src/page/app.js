// Draws what the API gives. Text of reports only ever becomes text nodes.
const $ = id => document.getElementById(id), all = selector => [...document.querySelectorAll(selector)], active = () => document.activeElement;
const HIDDEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const visible = text => `${text}`.replace(HIDDEN, c => {
	const n = c.codePointAt();
	return n < 32 ? String.fromCharCode(9216 + n) : n === 127 ? '␡' : `⟨U+${n.toString(16).toUpperCase().padStart(4, 0)}⟩`;
});
// h('a.row', {href}, 'text', element): properties may be left out.
const h = (tag, props, ...kids) => {
	if (props?.constructor !== Object) [props, kids] = [{}, [props, kids]];
	const [name, ...classes] = tag.split('.'), el = document.createElement(name || 'div');
	if (classes[0]) el.className = classes.join(' ');
	for (const [k, v] of Object.entries(props)) {
		if (k.startsWith('on')) el[k] = v;
		else if (k[0] === '-') el.style.setProperty(k, v);
		else if (v != null && v !== false) el.setAttribute(k, v);
	}
	el.append(...kids.flat(9).filter(k => k || k === 0).map(k => k.nodeType ? k : visible(k)));
	return el;
};
const span = (cls, ...kids) => h('span.' + cls, kids), dim = (...kids) => span('dim', kids), badge = (kind, ...kids) => span('badge.' + kind, kids);
const a = (href, ...kids) => h('a', {href}, kids);
const button = (text, onclick, props) => h('button', {type: 'button', onclick, ...props}, text);
const fold = (summary, ...kids) => h('details', h('summary', summary), kids);
const table = (heads, rows) => h('.wide', h('table', h('tr', heads.map(t => h('th', t))), rows.map(r => h('tr', r.map(c => h('td', c))))));
const pairs = list => h('dl', list.map(([k, v]) => [h('dt', k), h('dd', v)]));
const dots = (...list) => list.flat().filter(Boolean).flatMap((item, i) => i ? [' · ', item] : item);

const [full, short] = [{}, {notation: 'compact', maximumFractionDigits: 1}].map(o => new Intl.NumberFormat('en', o));
const num = n => n == null ? '–' : (n < 1e4 ? full : short).format(n);
const many = (n, noun) => `${num(n)} ${noun}${n === 1 ? '' : 's'}`;
const some = (n, kind, text) => n > 0 && badge(kind, num(n), text && ` ${text}`);
const size = n => n < 1024 ? n + ' B' : n < 1048576 ? (n / 1024).toFixed() + ' KiB' : (n / 1048576).toFixed(1) + ' MiB';
const ms = n => n == null ? '–' : n < 1000 ? n + ' ms' : n < 6e4 ? (n / 1000).toFixed(1) + ' s' : Math.round(n / 6e4) + ' min';
const format = o => { const f = new Intl.DateTimeFormat('sv', o); return t => f.format(Math.min(t, 8e15)); };
const clock = format({timeStyle: 'medium'}), day = format({}), exact = t => `${day(t)} ${clock(t)}.${`${t % 1000}`.padStart(3, 0)}`;
const time = t => h('time', {title: exact(t), 'data-t': t}), began = s => s.requested ?? s.received;
let skew = 0;
const tick = () => all('[data-t]').forEach(el => {
	const t = +el.dataset.t, s = (Date.now() + skew - t) / 1000;
	el.textContent = s < 60 ? s < 5 ? 'now' : `${s | 0} s` : s < 3600 ? `${s / 60 | 0} min` : s < 86400 ? `${s / 3600 | 0} h` : day(t);
});
setInterval(tick, 5000);
const who = user => user ? user.name || user.label : 'unknown user', person = user => span(user ? 'user' : 'unknown', who(user));
const tokens = t => t.in != null && `${num(t.in)} in${t.cached ? ` (${num(t.cached)} cached)` : ''} / ${num(t.out)} out${t.reasoning ? ` (${num(t.reasoning)} reasoning)` : ''}`;
const LEVELS = {error: 'bad', warning: 'warn', note: 'info'};
const worst = list => Object.keys(LEVELS).find(level => list.some(p => p.level === level));

// The address: #/VIEW/SELECTION/REPORT?q=…&tab=…&with=…
const LISTS = {sessions: '/api/sessions', interactions: '/api/reports', users: '/api/users'};
const VIEWS = [...Object.keys(LISTS), 'figures', 'problems', 'refused', 'faults', 'accounting', 'start'];
const parse = () => {
	const [path, query] = location.hash.slice(2).split('?'), got = new URLSearchParams(query), get = name => got.get(name) || '';
	let [view, key = '', report = ''] = path.split('/').map(s => { try { return decodeURIComponent(s); } catch { return s; } });
	if (!VIEWS.includes(view)) view = VIEWS[0];
	if (view === VIEWS[1]) [key, report] = ['', key];
	return {view, key, report, q: get('q'), tab: get('tab'), with: get('with')};
};
let route = {};
const link = to => {
	const r = {view: VIEWS[0], q: route.q, ...to}, params = new URLSearchParams();
	for (const name of ['q', 'tab', 'with']) if (r[name]) params.set(name, r[name]);
	return '#/' + [r.view, r.key, r.report].filter(Boolean).map(encodeURIComponent).join('/') + (params.size ? '?' + params : '');
};
const go = (to, quiet) => {
	if (!quiet) return void (location.hash = link(to));
	history.replaceState(null, '', link(to));
	moved();
};
const view = (view, more) => link({view, ...more}), filter = q => view(VIEWS[1], {q}), quoted = text => `"${text.replace(/["\\]/g, '\\$&')}"`;

const url = (path, params) => path + '?' + new URLSearchParams(params);
const ask = async (path, params, options) => {
	const answer = await fetch(url(path, params), options), text = await answer.text();
	let body = {error: text.slice(0, 400)};
	try { body = JSON.parse(text); } catch { /* It is the text of an error. */ }
	if (!answer.ok) throw body;
	return body;
};
const matching = more => ({q: route.q, tz: -new Date().getTimezoneOffset(), ...more});
const raw = async id => (await fetch(`/api/reports/${id}/raw`)).text();
const why = error => error.error || error.message;
const write = async (method, path, body, done, type = 'application/json') => {
	try { const got = await ask(path, {}, {method, body, headers: {'content-type': type}}); toast(done?.(got) || 'Done'); refresh(); } catch (error) { toast(why(error)); }
};
const toast = text => {
	$('toast').textContent = visible(text);
	clearTimeout(toast.timer);
	toast.timer = setTimeout(toast, 4000, '');
};
const copy = async text => { try { await navigator.clipboard.writeText(text); toast('Copied'); } catch { prompt('Copy', text); } };
const copied = text => h('.copy', h('pre', {tabindex: 0}, long(text, 12)), button('Copy', () => copy(text)));

// Puts new elements in place of old ones, but for those that are equal: what is open or focused stays.
const patch = (parent, fresh) => {
	const focused = active().closest('[data-key]')?.dataset.key, old = new Map([...parent.children].map(el => [el.dataset.key, el]));
	const els = fresh.flat(9).filter(Boolean).map((el, i) => {
		const key = el.dataset.key ??= ` ${i}`, known = old.get(key);
		el.sign = el.outerHTML;
		return known?.sign === el.sign ? known : el;
	});
	[...parent.children].forEach(el => els.includes(el) || el.remove());
	els.forEach((el, i) => parent.children[i] === el || parent.insertBefore(el, parent.children[i]));
	if (focused && active() === document.body) els.find(el => el.dataset.key === focused)?.focus({preventScroll: true});
	tick();
};

// JSON as received: numbers and repeated names stay as they are.
const readJson = text => {
	const token = /\s*(?:([{}[\],:])|("(?:[^"\\]|\\.)*"|[^\s{}[\],:"]+))/y, top = {kids: []}, stack = [top];
	let name;
	for (let m; (m = token.exec(text));) {
		const {kids} = stack.at(-1), add = kid => { kids.push({name, ...kid}); name = null; };
		if (m[2]) add({raw: m[2]});
		else if ('{['.includes(m[1])) { add({open: m[1], kids: []}); stack.push(kids.at(-1)); }
		else if ('}]'.includes(m[1])) { if (stack[1]) stack.pop(); }
		else if (m[1] === ':') name = kids.pop()?.raw;
	}
	return top.kids[0] || {raw: text};
};
const plain = text => { try { return `${JSON.parse(text)}`; } catch { return text; } };
const leaf = (text, string = plain(text)) => text[0] !== '"' ? span('word', text)
	: /^(data:[^,]*,)?[\w+/=-]{400}/.test(string) ? dim(`${string.slice(0, 40)}… ${size(string.length)} of data`) : span('string', '"', long(string, 12), '"');
const tree = (json, deep = 3) => {
	const label = json.name && [span('name', plain(json.name)), ': '], close = json.open === '{' ? '}' : ']';
	if (!json.kids?.[0]) return h('.j', label, json.open ? json.open + close : leaf(json.raw));
	const fill = (from = 0) => {
		box.append(...json.kids.slice(from, from + 500).map(kid => tree(kid, deep - 1)));
		if (json.kids.length > from + 500) box.append(button('more', e => { e.target.remove(); fill(from + 500); }));
	};
	const box = h('details.j', {ontoggle: () => box.children[1] || fill()}, h('summary', label, json.open, dim(` ${json.kids.length} `), close));
	box.open = deep > 0;
	if (box.open) fill();
	return box;
};
const json = (text, deep) => h('.json', tree(readJson(text), deep));

// A text, or its beginning with a button for the rest; fenced code in monospace.
const long = (text, most = 40) => {
	const lines = text.split('\n');
	if (lines.length < most + 5 && text.length < most * 150) return text;
	const head = lines.slice(0, most).join('\n').slice(0, most * 120), rest = h('span', {hidden: ''}, text.slice(head.length));
	return [head, rest, button(`… ${num(text.length - head.length)} more characters`, e => { rest.hidden = !rest.hidden; e.target.textContent = rest.hidden ? 'more' : 'less'; })];
};
const prose = text => text.split(/^```/m).map((part, i) => i % 2 ? h('pre.code', long(part.replace(/^.*\n/, '').trimEnd())) : part.trim() && h('.text', long(part.replace(/^\n|\n$/g, ''))));
const media = p => h('figure', p.src && h('a', {href: p.src, target: '_blank'}, h('img', {src: p.src, alt: p.filename || 'image of the report', loading: 'lazy'})),
	span('chip', [{image: '▣', audio: '♪', file: '▤'}[p.kind], p.mediaType || p.kind, p.bytes && size(p.bytes), p.filename, p.url ? `${p.url.slice(0, 300)} (not fetched)` : p.kind === 'image' && !p.src && 'not here'].filter(Boolean).join(' ')), p.transcript && prose(p.transcript));
const PARTS = {
	text: p => prose(p.text), reasoning: p => h('details.quiet', h('summary', 'Reasoning'), prose(p.text)), refusal: p => h('.error', h('b', 'Refusal '), p.text),
	toolCall: p => h('.call', h('b', '→ ', p.name), ' ', span('id', p.id), !p.isJson && badge('bad', 'arguments are not JSON'),
		p.isJson && p.arguments.length > 120 ? json(p.arguments, 2) : h('pre', long(p.arguments, 12)), p.result != null && h('pre.result', '← ', long(p.result, 12))),
	toolResult: p => h('details.call', p.isError && {open: ''}, h('summary', h('b', '← ', p.name || 'result'), p.isError && badge('bad', 'error'), span('id', p.text.slice(0, 160))), h('pre', long(p.text))),
	image: media, audio: media, file: media, json: p => h('details.call', h('summary', p.label), json(p.text)),
};
const message = (m, user) => {
	const role = m.parts[0] && m.parts.every(p => p.kind === 'toolResult') ? 'tool' : m.role;
	return h('.message.of-' + role.replace(/\W/g, ''), h('.role', role === 'user' && user ? who(user) : role !== 'tool' && m.name || role), h('.body', m.parts.map(p => PARTS[p.kind](p))));
};
const compared = (removed, added, user) => [removed.map(m => h('.del', message(m, user))), added.map(m => h('.ins', message(m, user)))];
const words = pieces => h('p.text', pieces.map(p => p.op === 'same' ? p.text : h(p.op === 'added' ? 'ins' : 'del', p.text)));
const changes = list => list.map(c => span('change', c.name, ' ', c.from != null && h('del', c.from), ' ', c.to != null && h('ins', c.to)));
const TORN = {interrupted: 'Interrupted: cut off by the provider', abandoned: 'Abandoned: the caller left', refused: 'Refused by the provider'};
const relation = t => ({
	start: t.n > 1 && 'another conversation', continued: t.parent && t.parent < t.n - 1 && `continues turn ${t.parent}`, branch: `branch of turn ${t.parent}`, again: 'the same request again',
	edited: `history edited at message ${t.history?.at + 1}`, shortened: `history shortened by ${t.history?.removed.length}`,
})[t.relation];
const turn = (t, isAlone) => {
	const s = t.report, level = worst(s.problems), related = relation(t), to = tab => link({...route, report: s.id, tab}), isFolded = t.folded > 0 && !isAlone;
	const unfold = async e => {
		const box = e.target;
		if (box.children[1] || !box.open) return;
		box.append(h('div'));
		box.lastChild.append(...(await ask(`/api/reports/${s.id}`)).turn.messages.slice(0, t.folded).map(m => message(m, s.user)));
	};
	// A session may have hundreds of them, and a report 48 MiB.
	const opened = async e => e.target.children[1] || e.target.append(json(await raw(s.id)));
	const opaque = !t.isConversation && h('.call', dim(`Format ${s.format}, type ${s.type}: `, s.bytes > 1048576 ? `${size(s.bytes)} of JSON` : 'shown as JSON'), s.bytes <= 1048576 && h('details', {open: isAlone && '', ontoggle: opened}, h('summary', 'JSON')));
	return h('article.turn.t' + t.thread % 4, {tabindex: -1, 'data-key': s.id, 'aria-current': !isAlone && s.id == route.report && 'true'},
		t.newVisit && h('p.visit', 'A new visit: the session came back after its timeout'),
		h('header', !isAlone && h('h3', t.n), h('time', {title: exact(began(s))}, clock(began(s))), t.thread > 0 && badge('', `thread ${t.thread + 1}`), !isAlone && related && badge(t.history ? 'warn' : 'info', related), s.model, changes(t.changes),
			!isAlone && h('.links', s.attempts > 1 && a(to('delivery'), many(s.attempts, 'attempt')), level && level !== 'note' && a(to('checks'), '⚠ ', s.problems.find(p => p.level === level).check), a(to('report'), 'raw'))),
		isFolded && h('details.folded', {ontoggle: unfold}, h('summary', many(t.folded, 'message'), ' as before')),
		t.history && h('.folded', t.history.diff ? words(t.history.diff) : fold('what changed', compared(t.history.removed, t.history.added, s.user))),
		opaque, t.messages.map(m => message(m, s.user)), h('.choices', t.answers.map(choice => h('.choice', choice.map(m => message(m))))),
		h('footer', t.torn && !t.error && h('p.torn', TORN[t.torn] || t.torn), t.error && h('.error', h('b', s.status >= 400 && s.status, ' Error '), t.error), s.truncated && h('p', badge('warn', 'truncated'), ' not all of it was reported'),
			dots(s.ttft != null && `${ms(s.ttft)} to first token`, s.duration != null && ms(s.duration), tokens(s.tokens), s.finish, s.streamed && (s.chunks ? `streamed, ${many(s.chunks, 'chunk')}` : 'streamed'))));
};

const row = (kind, key, href, isOpen, ...kids) => h('a.row' + kind, {href, 'data-key': key, 'aria-current': isOpen && 'true'}, kids);
const entry = (key, href, isOpen, what, at, sub, counts, badges) => row('', key, href, isOpen, h('.line', span('what', what), at && time(at)), h('.line.sub', span('cut', sub), span('num', counts)), h('.badges', badges));
const sum = t => t.in != null && `${num(t.in + (t.out || 0))} tok`;
const ended = s => badge(s.outcome && s.outcome !== 'answered' || s.status >= 400 ? 'bad' : '', s.outcome || 'unknown', s.status >= 400 && ` ${s.status}`);
const ROWS = {
	sessions: s => entry(s.key, link({key: s.key}), s.key === route.key, s.asked || dim('no words of a user'), s.lastActive,
		[person(s.user), s.users > 1 && ` + ${s.users - 1}`, ' · ', s.session == null ? 'no session' : s.label, ' · ', s.models.join(', ')], [dots(many(s.interactions, 'turn'), sum(s.tokens)), s.open && h('span.open', {title: s.closesAt && `closes at ${clock(s.closesAt)}`}, span('hide', 'open'))],
		[s.users > 1 && some(s.users, 'bad', 'users'), some(s.failed, 'bad', 'failed'), some(s.interrupted, 'warn', 'interrupted'), some(s.truncated, 'warn', 'truncated'), s.tools > 0 && badge('', many(s.tools, 'tool call')), s.has.filter(has => has !== 'tool').map(has => badge('', has)), s.visits > 1 && some(s.visits, '', 'visits'), some(s.problems, 'warn', '⚠')]),
	interactions: s => row('.report', s.id, view(VIEWS[1], {report: s.id}), s.id == route.report,
		span('num.dim', s.id), time(began(s)), span('what', s.asked || s.answered || s.type), span('cut.c3', person(s.user)), span('cut.c4', s.session == null ? '–' : s.sessionLabel), span('cut.c2', s.model || s.format), ended(s),
		span('num.c3', ms(s.ttft)), span('num.c3', ms(s.duration)), span('num.c2', num(s.tokens.in), ' / ', num(s.tokens.out)), span('cut.c4', s.finish || '–'), span('num.c4', size(s.bytes)), span('cut', s.attempts > 1 && badge('info', '×', s.attempts), s.problems.some(p => p.level !== 'note') && badge(LEVELS[worst(s.problems)], '⚠'))),
	users: u => {
		const key = u.user?.key ?? '~none';
		return entry(key, view('users', {key}), key === route.key, person(u.user), u.lastSeen, u.user ? dots(u.user.userId, u.user.email, u.user.isAuthenticated && 'authenticated') : 'Reconify makes a new user of each',
			dots(many(u.sessions, 'session'), many(u.interactions, 'turn'), sum(u.tokens)), [some(u.failed, 'bad', 'failed'), some(u.problems, 'warn', '⚠')]);
	},
};
const HEADS = h('.report.heads', {'data-key': 'heads'}, ['num', 'what', 'what', 'cut.c3', 'cut.c4', 'cut.c2', 'cut', 'num.c3', 'num.c3', 'num.c2', 'cut.c4', 'num.c4'].map((cls, i) => span(cls, ['#', 'time', 'question', 'user', 'session', 'model', 'outcome', 'first', 'time', 'in / out', 'finish', 'size'][i])));
const exports = (path, kinds, params, ...more) => h('details.menu', h('summary', 'Export'), h('.items', kinds.map(format => h('a', {href: url(path, {...params, format}), download: ''}, {md: 'Markdown', json: 'JSON', jsonl: 'JSON Lines', csv: 'CSV'}[format])), more));
const title = (text, sub, ...more) => h('header.head', h('a.back', {href: link(route.tab && route.key ? {view: route.view, key: route.key} : {view: route.view}), 'aria-label': 'Back'}, '‹'), h('.titles', h('h2', {tabindex: -1}, text), h('.sub', sub)), more, button('Copy link', KEYS.y));
const importer = () => button('Import', () => $('file').click(), {title: 'An export, as JSON or JSON Lines'});
const empty = (text, ...kids) => h('.empty', h('h2', text), kids);
const nothing = of => empty(`0 of ${num(of)}`, h('p', route.q ? 'Nothing matches the search.' : 'Nothing here.'), route.q && button('Clear the search', () => search('')));

let status, limit = 200, waiting = 0, paused = false, follow = false, lost = 0, failure = '', wanted = false;
const start = () => {
	const o = location.origin, now = Date.now();
	return [h('h2', status.reports ? 'How reports get here' : 'Nothing has come yet'), h('p', 'This collector stands in for Reconify on this machine: it shows and checks what an application would report, and sends nothing on.'),
		h('h3', 'Let an application report here'), copied(`export RECONIFY_ENDPOINT=${o}/track\nexport RECONIFY_APP_KEY=any RECONIFY_API_KEY=any`), status.keys && h('p', 'The keys have to be COLLECTOR_APP_KEY and COLLECTOR_API_KEY.'),
		h('h3', 'Or send one report'), copied(`curl ${o}/track -H 'content-type: application/json' -d '{"reconify":{"format":"openai","type":"chat","version":"1.0.0","appKey":"any","apiKey":"any"},"timestamps":{"request":${now},"response":${now + 900}},"session":"first","sessionTimeout":null,"user":{},"request":{"model":"gpt-4o","messages":[{"role":"user","content":"Hello?"}]},"response":{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello."}}]}}'`),
		h('p', button('Or look at an example', () => write('POST', '/api/example', '', got => go({key: got.sessionKey, q: ''}))), ' ', importer()), h('h3', 'In a terminal'), copied(`curl -N ${o}/api/events?format=line`),
		h('p', dim(`Version ${status.version}, ${status.store}. The newest ${num(status.limits.reports)} reports or ${size(status.limits.bytes)} are kept.`, status.strict && ' Strict: reports beyond what Reconify documents are refused.'), ' ', a('/api/openapi.json', 'API'))];
};
const drawList = got => {
	const {view: name, q} = route, list = got[name === VIEWS[1] ? 'reports' : name], isNew = !status.reports && !q;
	patch($('head'), [h('h2', q ? `${num(got.matched)} of ${num(got.total)}` : many(got.total, name.slice(0, -1))), button('Follow', KEYS.f, {'aria-pressed': follow}), importer(),
		exports(LISTS.interactions, ['json', 'jsonl', 'csv'], matching(), button('Delete these', () => confirm(q ? `Delete what matches ${q}?` : 'Delete everything?') && write('DELETE', url(LISTS.interactions, matching({q: q || '*'})))))]);
	patch($('rows'), list[0] ? [name === VIEWS[1] && HEADS, list.map(ROWS[name]), list.length >= limit && (limit < 1000 ? button('Show more', () => { limit = 1000; refresh(); }) : h('p.empty', 'Search for the rest.'))]
		: isNew && status.refused ? [empty(`${num(status.refused)} came, all refused`, a(view('refused'), 'See why'))] : isNew ? [h('.page', start())] : [nothing(got.total)]);
};

const attempts = list => table(['', 'Time', 'Answered', 'Fault', 'idempotency-key', 'User agent', 'Size'], list.map((at, i) => [i + 1, exact(at.at), badge(at.status < 400 && at.status ? 'good' : 'bad', at.status ?? 'nothing'), at.fault, at.key, at.userAgent, [size(at.bytes), !at.sameBytes && badge('bad', 'other bytes')]]));
const source = name => async d => {
	const s = d.summary;
	if (!d.visibleRaw) return empty(`It has ${size(s.bytes)}`, h('p', 'The menu Export has it as a file.'));
	const text = await raw(s.id), bytes = h('pre', {hidden: '', tabindex: 0}, text), part = readJson(text), kid = name ? part.kids.find(k => plain(k.name) === name) : part, shown = h('.json', kid && tree({...kid, name: null}, name ? 3 : 4));
	return name ? [name === 'request' && [pairs(d.parameters.map(p => [p.name, long(p.value, 6)])), d.curl && fold('Ask the model again', copied(d.curl))], shown]
		: [h('p', button('Copy', () => copy(text)), ' ', button('As received', () => { bytes.hidden = !bytes.hidden; shown.hidden = !bytes.hidden; }), dim(` ${size(s.bytes)}, keys masked`)), shown, bytes];
};
const TABS = {
	conversation: d => d.turn && turn(d.turn, true), request: source('request'), response: source('response'), report: source(),
	checks: d => d.summary.problems[0] ? d.summary.problems.map(p => h('p.check', badge(LEVELS[p.level], p.level), ' ', a(filter('has:' + p.check), p.check), h('.text', p.text))) : empty('No problem found'),
	delivery: d => [h('h3', many(d.attempts.length, 'attempt')), attempts(d.attempts), h('p', dots(d.lag != null && `arrived ${ms(d.lag)} after the response`, exact(d.summary.received), d.summary.key, d.summary.process)),
		d.files.map(f => h('p', '▣ ', f.filename, ' ', f.upload ? a(view(VIEWS[1], {report: f.upload, q: ''}), 'upload ', f.upload) : badge('warn', 'not uploaded')))],
	difference: async d => {
		const other = route.with || d.previous, choose = button('Compare with…', () => go({...route, with: prompt('With which interaction?', other || '') || ''}));
		if (!other) return empty('The first of its session', choose);
		const c = await ask('/api/compare', {a: other, b: d.summary.id});
		return [h('p', choose, ' ', dots(`From ${other}`, many(c.common, 'equal message'), `${c.removed.length} removed`, `${c.added.length} added`)), h('p', c.changes[0] ? changes(c.changes) : dim('Model, parameters and tools are the same.')), c.diff ? words(c.diff) : dim('Too long to compare word by word.'), fold('Messages', compared(c.removed, c.added))];
	},
};
const report = async () => {
	const d = await ask(`/api/reports/${encodeURIComponent(route.report)}`), s = d.summary, tab = TABS[route.tab] ? route.tab : 'conversation', at = (report, text) => report && a(link({...route, report}), text);
	return [title(`Interaction ${s.id}`, [dots(person(s.user), s.session != null && a(link({key: s.sessionKey, report: s.id}), s.sessionLabel), s.model, s.type, exact(began(s))), ' ', ended(s), Object.entries(s.tags).map(tag => [' ', badge('', tag.join('='))])],
		at(d.previous, '←'), at(d.next, '→'), exports(LISTS.interactions, ['json', 'csv'], {q: `key:${quoted(s.key)}`}, h('a', {href: `/api/reports/${s.id}/raw?download=1`, download: ''}, 'As received'))),
	h('nav.tabs', {'aria-label': 'Report'}, Object.keys(TABS).map(name => h('a', {href: link({...route, tab: name, with: ''}), 'aria-current': name === tab && 'page'}, name, name === 'checks' && s.problems[0] && span('count', s.problems.length), name === 'delivery' && s.attempts > 1 && span('count', s.attempts)))),
	h('.tab', await TABS[tab](d))];
};
const session = async () => {
	const path = `/api/sessions/${encodeURIComponent(route.key)}`, t = await ask(path), r = t.row, isNamed = t.session != null;
	return [title(isNamed ? t.label : 'Without a session', dots(t.users[0] ? t.users.map(who).join(', ') : person(), many(t.turns.length, 'turn'), r && tokens(r.tokens), r && isNamed && (r.open ? r.closesAt ? `open, closes at ${clock(r.closesAt)}` : 'open' : 'closed')), exports(path, ['md', 'json', 'jsonl', 'csv'])),
		t.users[1] && h('p.banner', badge('bad', t.users.length, ' users in one session'), ' ', t.users.map(u => u.label).join(', ')), t.omitted > 0 && h('p.banner', `${many(t.omitted, 'older turn')} left out; the exports have them.`), t.turns.map(one => turn(one))];
};
const user = async () => {
	const q = route.key === '~none' ? 'is:anonymous' : `user:${quoted(route.key)}`, got = await ask(LISTS.sessions, {q});
	return [title(got.sessions[0] ? who(got.sessions[0].user) : route.key, dots(many(got.matched, 'session'), a(filter(q), 'interactions'), a(view('figures', {q}), 'figures'))), got.sessions.map(ROWS.sessions)];
};
const bars = (list, shown, name, props) => {
	const most = Math.max(...list.map(b => b.count));
	return [h('.bars', list.map(b => {
		const label = `${shown(b.from)} to ${shown(b.to)}: ${many(b.count, 'interaction')}, ${b.failed} failed`, q = name ? `${name}>=${b.from} ${name}<${b.to}` : `after:${b.from} before:${b.to}`;
		return h(b.count ? 'a' : 'span', {href: b.count && view(route.view, {q: `${route.q} ${q}`.trim()}), title: label, 'aria-label': label, ...props, '--n': b.count / most, '--f': b.failed / most});
	})), list[0] && h('.line.sub', span('what', shown(list[0].from)), shown(list.at(-1).to))];
};
// The figures of what a view shows. The bars are for the mouse: the view of the figures has them for the keyboard, too.
const drawStrip = async at => {
	const f = (LISTS[at.view] || at.view === 'figures') && await ask('/api/figures', matching({buckets: 48})), ranks = (of, ...list) => of.count > 0 && list.map(rank => [dim(` ${rank} `), ms(of[rank])]);
	if (at !== route) return;
	patch($('strip'), f?.count ? [h('p', Object.entries({
		interactions: num(f.count), sessions: num(f.sessions), users: num(f.users), tokens: tokens(f.tokens), 'first token': ranks(f.ttft, 'p50', 'p95'), time: ranks(f.duration, 'p50', 'p95', 'p99'), failed: some(f.failed, 'bad'), truncated: some(f.truncated, 'warn'),
	}).map(([name, value]) => value && span('key.num', dim(name), ' ', value))), h('.plot', {'aria-hidden': 'true'}, bars(f.series, clock, '', {tabindex: -1})[0])] : []);
};
const PAGES = {
	start,
	problems: async () => {
		const {problems} = await ask('/api/problems', matching());
		return [h('h2', 'Problems'), problems.map(p => entry(p.check, filter(`has:${p.check} ${route.q}`.trim()), false, p.title, p.newest, [badge(LEVELS[p.level], p.level), ' has:', p.check], many(p.count, 'report'))), !problems[0] && empty('No problem found')];
	},
	refused: async () => {
		const got = await ask('/api/refused');
		return [h('h2', 'Refused'), h('p', `${num(got.total)} answered 4xx since the start, ${num(got.kept)} kept. `, got.kept > 0 && button('Forget them', () => write('DELETE', '/api/refused'))),
			got.refused.map(r => h('article.card', {'data-key': r.id}, h('header', badge('bad', r.status), h('b', r.reason), r.path, time(r.at)), r.fields[0] && table(['Field', 'Found', 'Expected'], r.fields.map(f => [f.pointer || '/', f.found, f.expected])), h('p', dim(dots(size(r.bytes), r.key, r.userAgent))), r.head && fold('First bytes', h('pre', r.head)))), !got.kept && empty('Nothing was refused')];
	},
	faults: async () => {
		const {faults} = await ask('/api/faults'), arm = body => write('POST', '/api/faults', body);
		return [h('h2', 'Faults'), h('p', 'What the collector does wrong on purpose, to test what delivers to it. Each use is shown under delivery.'),
			faults[0] ? [table(['Armed', 'Left', 'Used'], faults.map(f => [f.text, f.left ?? 'no end', f.used])), button('Disarm all', () => write('DELETE', '/api/faults'))] : h('p', dim('None is armed.')), h('h3', 'Arm'),
			h('p', ['{"status":503,"times":2}', '{"status":429,"retry_after":"3s"}', '{"status":500,"times":0,"probability":20}', '{"delay":"2s"}', '{"hang":true}', '{"reset":true}', '{"after_bytes":5}', '{"garbage":true}'].map(text => [button(text, () => arm(text)), ' '])),
			h('form', {onsubmit: e => { e.preventDefault(); arm(e.target[0].value); }}, h('label', 'Your own; also body, match (a search), seed', h('textarea', {rows: 2}, '{"status":503,"match":"session:first"}')), h('button', 'Arm'))];
	},
	accounting: async () => {
		const got = await ask('/api/accounting'), names = ['arrived', 'dropped', 'withheld', 'missing'];
		return [h('h2', 'Accounting'), h('p', 'What applications captured, and what became of it. Missing reports wait, were rejected, are gone by retention, or are lost.'),
			got.processes.map(p => h('.card', h('header', h('b', 'process ', p.process), dim(num(p.captured), ' captured'), time(p.lastSeen)), h('.bar', names.map(n => h('span.' + n, {'--n': Math.max(0, p[n])}))), h('p', names.map(n => span('key.' + n, n, ' ', num(p[n])))))), !got.processes[0] && h('p', dim('No report has metadata.reporter: set RECONIFY_METADATA=1.')),
			got.stats && [h('h3', 'Counts of the reporter'), json(JSON.stringify(got.stats))], h('h3', 'Answered since the start'), pairs(Object.entries(got.answered)), got.undelivered.map(u => h('.card', h('h3', 'Only met faults'), attempts(u.attempts)))];
	},
	figures: async () => {
		const f = await ask('/api/figures', matching({buckets: 60})), plot = (name, list, shown, field, p) => h('.card', h('h3', name), list[0] ? bars(list, shown, field) : dim('Not measured'), p?.count > 0 && h('p', ['p50', 'p95', 'p99', 'max'].map(k => span('key.num', dim(k), ' ', ms(p[k])))));
		const ranks = (field, list) => list[0] && h('.card', h('h3', field + 's'), list.slice(0, 10).map(i => h('a.line.rank', {href: view('figures', {q: `${route.q} ${field}:${quoted(i.name)}`.trim()}), '--n': i.count / list[0].count}, span('what', i.name), num(i.count))));
		return [h('h2', 'Figures'),
			f.count ? [plot('Interactions, failed in red', f.series, clock), h('.columns', plot('Time to the first token', f.ttfts, ms, 'ttft', f.ttft), plot('Duration', f.durations, ms, 'ms', f.duration), ranks('model', f.models), ranks('outcome', f.outcomes), ranks('type', f.types))] : nothing(f.total)];
	},
};

const drawTop = () => {
	const s = status, name = visible(s ? s.name : 'Collector');
	document.title = name + (waiting ? ` (${waiting} new)` : '');
	$('name').textContent = name;
	$('live').className = lost ? 'lost' : paused ? 'paused' : '';
	$('live').textContent = lost ? 'offline' : paused ? `paused, ${waiting} waiting` : 'live';
	$('live').setAttribute('aria-pressed', paused);
	patch($('views'), VIEWS.map(name => h('a', {href: view(name), 'aria-current': route.view === name && 'page'}, name, s?.[name] > 0 && span('count.' + name, num(s[name])))));
	patch($('notice'), [lost && h('p.bad', `Not connected since ${clock(lost)}, retrying. What is here stays.`), s?.storeError && h('p.bad', 'Nothing can be stored: ', s.storeError), s?.faults > 0 && h('p.warn', many(s.faults, 'fault'), ' armed: posts are answered wrongly on purpose. ', a(view('faults'), 'Faults')), failure && h('p.bad', `Could not load: ${failure} `, button('Try again', () => refresh()))]);
	patch($('new'), [waiting > 0 && button(`${num(waiting)} new ↑`, showNew)]);
};
const showNew = () => { paused = false; $('rows').scrollTop = 0; refresh(); };
const wrong = error => {
	const letters = [...route.q];
	$('q').setAttribute('aria-invalid', !!error);
	$('wrong').hidden = !error;
	if (error) $('wrong').replaceChildren(h('mark', letters.slice(error.at).join('').split(/\s/)[0] || '␣'), ' ', visible(error.error));
};

// Loads what the address asks for; what is shown stays until the new is here.
let running, again = false, shown = '', drawn = '';
const refresh = () => {
	again = true;
	running ||= (async () => { while (again) { again = false; await load(route); } running = null; })();
};
const load = async at => {
	const path = LISTS[at.view], isOpen = !path || at.key || at.report, place = at.view + at.q, wasPaused = paused;
	document.body.className = `${path ? 'lists' : 'pages'} ${isOpen ? 'chosen' : ''} ${at.view}`;
	$('list').setAttribute('aria-busy', shown !== place);
	try {
		const [now, got] = await Promise.all([ask('/api/status'), path && ask(path, matching({limit}))]);
		// A list that was asked for before the pause has what came after it.
		if (at !== route || path && paused && !wasPaused && shown === place) return;
		[status, skew, waiting, failure] = [now, now.now - Date.now(), 0, ''];
		wrong();
		if (shown !== place) $('rows').scrollTop = 0;
		shown = place;
		if (path) drawList(got);
	} catch (error) {
		if (at !== route) return;
		if (error.at != null) wrong(error); else failure = why(error);
	}
	$('list').setAttribute('aria-busy', false);
	drawTop();
	// What keeps the figures from coming keeps the list from it, too, and is told there.
	if (status) await Promise.all([loadDetail(at, isOpen), drawStrip(at).catch(() => {})]);
};
const loadDetail = async (at, isOpen) => {
	const detail = $('detail'), place = [at.view, at.key, !at.key || at.tab ? at.report : '', at.tab, at.with].join('/');
	let els = [];
	try {
		if (isOpen) els = await (PAGES[at.view] || (at.view === 'users' ? user : at.report && (at.tab || !at.key) ? report : session))();
	} catch (error) {
		if (error.at != null) return wrong(error);
		if (!error.error) { failure = why(error); return drawTop(); }
		els = [title('Not here'), empty(error.error, h('p', status.evicted > 0 && `The newest ${num(status.limits.reports)} reports or ${size(status.limits.bytes)} are kept; ${num(status.evicted)} are gone.`))];
	}
	if (at !== route) return;
	if (drawn !== place) { detail.replaceChildren(); detail.scrollTop = 0; }
	patch(detail, els);
	drawn = place;
	if (wanted) {
		const chosen = detail.querySelector('.turn[aria-current]');
		wanted = false;
		(chosen || detail.querySelector('h2'))?.focus({preventScroll: true});
		chosen?.scrollIntoView();
	}
	if (follow) detail.scrollTop = 1e9;
};

const search = q => { $('q').value = q; go({...route, ...LISTS[route.view] || /figures|problems/.test(route.view) ? {} : {view: VIEWS[1]}, q}, true); };
$('q').oninput = () => { clearTimeout(search.timer); search.timer = setTimeout(() => search($('q').value), 80); };
$('search').onsubmit = e => { e.preventDefault(); search($('q').value); };

// Events have ids only.
let events, timer, due = 0;
const happened = () => {
	timer ||= setTimeout(async () => {
		timer = null;
		due = Date.now() + 200;
		if (!LISTS[route.view] || !paused && $('rows').scrollTop < 40) return refresh();
		try {
			const [now, got] = await Promise.all([ask('/api/status'), ask(LISTS.interactions, matching({after: status.lastId, limit: 1000}))]);
			waiting = got.reports.length;
			status = {...now, lastId: status.lastId};
			drawTop();
			if (!paused) loadDetail(route, route.key || route.report);
		} catch { /* The stream tells that the connection is lost. */ }
	}, Math.max(10, due - Date.now()));
};
const connect = () => {
	events?.close();
	events = new EventSource('/api/events');
	for (const name of ['hello', 'report', 'attempt', 'refused', 'removed', 'faults', 'resync']) events.addEventListener(name, async e => {
		if (name === 'hello') lost = 0;
		happened();
		if (name !== 'report' || !follow || paused) return;
		const {summary} = await ask(`/api/reports/${JSON.parse(e.data).id}`);
		go(route.view === VIEWS[1] ? {view: VIEWS[1], report: summary.id} : {key: summary.sessionKey}, true);
	});
	events.onerror = () => {
		lost ||= Date.now();
		drawTop();
		if (events.readyState === 2) setTimeout(connect, 2000);
	};
};
document.onvisibilitychange = () => document.hidden ? events.close() : connect();

const step = (selector, by) => {
	const list = all(selector), at = list.findIndex(el => el.contains(active())), from = at < 0 ? list.findIndex(el => el.ariaCurrent) : at, el = list[Math.max(0, Math.min(list.length - 1, from + by))];
	el?.focus({preventScroll: true});
	el?.scrollIntoView({block: selector === '.turn' ? 'start' : 'nearest'});
};
const steps = by => () => all('.tabs')[0] ? all('#detail .head > a:not(.back)').find(el => el.textContent === (by < 0 ? '←' : '→'))?.click() : step('.turn', by);
const rows = by => () => step(LISTS[route.view] ? '#rows .row' : '#detail .row', by);
const tab = name => () => {
	const report = active().closest('.turn')?.dataset.key || route.report || all('.turn').find(el => el.getBoundingClientRect().bottom > 200)?.dataset.key;
	if (report) go({...route, report, tab: route.tab === name ? '' : name});
};
const back = () => {
	const [menu] = all('.menu[open]'), key = route.key || route.report;
	if (menu) { menu.open = false; menu.firstChild.focus(); }
	else if (active() === $('q')) $('q').blur();
	else if (route.tab && route.key) go({...route, tab: '', with: ''});
	else if (key) { go({view: route.view}); setTimeout(() => all('#rows .row').find(el => el.dataset.key === key)?.focus(), 50); }
};
const KEYS = {
	'/': () => $('q').select(), j: rows(1), k: rows(-1), '[': steps(-1), ']': steps(1), r: tab('report'), d: tab('difference'), c: tab('checks'), y: () => copy(location.href),
	e: () => { const menu = all('.menu').at(-1); if (menu) { menu.open = true; menu.querySelector('.items > *').focus(); } },
	f: () => { follow = !follow; toast(follow ? 'Following the newest' : 'Not following'); refresh(); }, p: () => { paused = !paused; if (paused) { drawTop(); happened(); } else showNew(); },
	1: () => go({view: VIEWS[0]}), 2: () => go({view: VIEWS[1]}), 3: () => go({view: VIEWS[2]}), '?': () => $('help').showModal(), Escape: back,
};
document.onkeydown = e => {
	const action = KEYS[e.key];
	if (!action || e.ctrlKey || e.metaKey || e.altKey || $('help').open || e.key !== 'Escape' && e.target.matches('input, textarea')) return;
	e.preventDefault();
	action();
};
$('file').onchange = e => {
	const [file] = e.target.files, some = (n, text) => n > 0 && `${num(n)} ${text}`;
	if (file) write('POST', '/api/import', file, got => [`${num(got.imported)} imported`, some(got.known, 'known already'), some(got.refused, `refused: ${got.errors[0]}`)].filter(Boolean).join(', '), `application/${file.name.endsWith('l') ? 'x-ndjson' : 'json'}`);
	e.target.value = '';
};
$('live').onclick = KEYS.p;
$('keys').onclick = KEYS['?'];
for (const name of ['click', 'focusin']) document.addEventListener(name, e => all('.menu[open]').forEach(menu => menu.contains(e.target) || (menu.open = false)));

const moved = () => {
	const old = route, place = r => `${r.key}/${r.report}/${r.tab}`;
	route = parse();
	if (active() !== $('q')) $('q').value = route.q;
	if (old.view !== route.view || old.q !== route.q) limit = 200;
	if (place(old) !== place(route) && (route.key || route.report) && !follow) wanted = true;
	refresh();
};
onhashchange = moved;
all('.on').forEach(el => el.hidden = false);
moved();
connect();
