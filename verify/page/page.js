'use strict';
const words = {
  en: {title: 'Verify evidence offline', intro: 'Checks a bundle that corridor bundle wrote: signatures, log proofs, witnesses, and whether what is said fits together. Nothing leaves this computer: the page has no way to reach a network.',
    drop: 'Drop the file here', pick: 'Choose a file', trust: 'Trust of your own (optional)', trustwhy: 'Without these, the file is checked against the keys and the policy that it carries itself, and the result says so.',
    policy: 'Witness policy', dids: 'DID documents', busy: 'Checking…', big: 'The file is longer than a bundle may be (%d bytes).', print: 'Print', save: 'Save the report (JSON)',
    sum: 'Checks made: %n. Failed: %f. To note: %k.', holds: 'The bundle holds', fails: 'The bundle does NOT hold', forked: 'The evidence holds: the log has signed two histories', unforked: 'The evidence does NOT hold', failed: 'This does not hold', notes: 'To note', passed: 'This holds', check: 'check', why: 'Why it matters', fix: 'What to do',
    file: 'File', size: 'Size', bytes: 'bytes', own: 'Given by the reader', none: 'nothing: the file vouches for its own keys and policy', broken: 'The file could not be checked',
    limits: 'What this does not show: that the facts behind a decision were true; that nothing else was done outside the log; that the owner of a log and a quorum of witnesses did not act together.',
    licences: 'Licences of the software in this page', signature: 'Checked by (name, date, signature): ______________________________'},
  zh: {title: '离线核验证据', intro: '核验由 corridor bundle 写出的证据包：签名、日志证明、见证方，以及各项陈述是否相互吻合。任何内容都不会离开本机：本页面无法访问网络。',
    drop: '把文件拖到这里', pick: '选择文件', trust: '自备的信任依据（可选）', trustwhy: '如不提供，则按文件自带的密钥和策略核验，结果中会注明。',
    policy: '见证策略', dids: 'DID 文档', busy: '正在核验……', big: '文件超过证据包的长度上限（%d 字节）。', print: '打印', save: '保存报告（JSON）',
    sum: '检查 %n 项，未通过 %f 项，请注意 %k 项。', holds: '证据包验证通过', fails: '证据包未通过验证', forked: '证据成立：该日志签署了两段不同的历史', unforked: '证据不成立', failed: '未通过', notes: '请注意', passed: '已通过', check: '检查项', why: '为何重要', fix: '如何处理',
    file: '文件', size: '大小', bytes: '字节', own: '核验人提供', none: '无：密钥和策略均取自文件自身', broken: '无法核验该文件',
    limits: '本核验不能说明：决定所依据的事实属实；日志之外没有其他行为；日志所有者与足够数量的见证方没有串通。',
    licences: '本页面所含软件的许可证', signature: '核验人（姓名、日期、签名）：______________________________'},
  ru: {title: 'Проверка доказательств без сети', intro: 'Проверяет пакет, записанный командой corridor bundle: подписи, доказательства журналов, свидетелей и то, сходятся ли утверждения. Ничто не покидает этот компьютер: у страницы нет доступа к сети.',
    drop: 'Перетащите файл сюда', pick: 'Выбрать файл', trust: 'Собственные основания доверия (необязательно)', trustwhy: 'Без них файл проверяется по ключам и политике, которые он несёт сам, и результат об этом говорит.',
    policy: 'Политика свидетелей', dids: 'Документы DID', busy: 'Проверка…', big: 'Файл длиннее, чем может быть пакет (%d байт).', print: 'Печать', save: 'Сохранить отчёт (JSON)',
    sum: 'Проверок: %n. Не подтверждено: %f. Принять во внимание: %k.', holds: 'Пакет доказательств подтверждён', fails: 'Пакет доказательств НЕ подтверждён', forked: 'Доказательство подтверждено: журнал подписал две истории', unforked: 'Доказательство НЕ подтверждено', failed: 'Не подтверждено', notes: 'Примите во внимание', passed: 'Подтверждено', check: 'проверка', why: 'Почему это важно', fix: 'Что делать',
    file: 'Файл', size: 'Размер', bytes: 'байт', own: 'Дано проверяющим', none: 'ничего: ключи и политика взяты из самого файла', broken: 'Файл не удалось проверить',
    limits: 'Чего проверка не показывает: что факты, на которых основано решение, верны; что вне журнала ничего не происходило; что владелец журнала и достаточное число свидетелей не действовали сообща.',
    licences: 'Лицензии программ на этой странице', signature: 'Проверил (имя, дата, подпись): ______________________________'},
};
const MAX = 67108864; // verify.MaxBundle
const $ = id => document.getElementById(id);
let lang = ['zh', 'ru'].find(l => navigator.language.startsWith(l)) || 'en';
let shown = null; // {file, digest, given, report, text, questions} or {file, error}
let worker = null;

function element(tag, props, ...children) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children.filter(c => c));
  return e;
}

function translate() {
  document.documentElement.lang = lang;
  for (const e of document.querySelectorAll('[data-words]')) e.textContent = words[lang][e.dataset.words];
  for (const b of document.querySelectorAll('[data-lang]')) b.setAttribute('aria-pressed', b.dataset.lang === lang);
  show();
}

function ask(parts) {
  if (!worker) {
    worker = new Worker(URL.createObjectURL(new Blob([$('worker').textContent], {type: 'text/javascript'})));
  }
  return new Promise((resolve, reject) => {
    worker.onmessage = m => m.data.failed === undefined ? resolve(JSON.parse(m.data.said)) : reject(new Error(m.data.failed));
    worker.onerror = e => reject(new Error(e.message || 'worker'));
    worker.postMessage({code: $('code').textContent, parts});
  });
}

async function bytes(file) { return new Uint8Array(await file.arrayBuffer()); }

async function verify(file) {
  const w = words[lang];
  $('result').hidden = true;
  $('busy').textContent = w.busy;
  $('busy').hidden = false;
  try {
    if (file.size > MAX) throw new Error(w.big.replace('%d', MAX));
    const data = await bytes(file);
    const policy = $('policy').files[0], documents = [...$('dids').files];
    const files = await Promise.all([policy, ...documents].filter(f => f).map(bytes));
    const sizes = files.map(f => f.length);
    const head = JSON.stringify({policy: policy ? sizes[0] : -1, documents: policy ? sizes.slice(1) : sizes}) + '\n';
    const answer = await ask([new TextEncoder().encode(head), ...files, data].filter(p => p.length > 0));
    if (answer.error) throw new Error(answer.error);
    shown = {file, given: [policy, ...documents].filter(f => f).map(f => f.name), report: JSON.parse(answer.report), text: answer.report, questions: answer.words};
  } catch (e) {
    shown = {file, error: e.message};
  }
  $('busy').hidden = true;
  show();
}

function question(i) {
  const c = shown.report.checks[i], q = shown.questions[i][lang];
  if (!q) return c.what;
  const place = c.id.match(/\[(\d+)\]/);
  return q + (place ? ' [' + place[1] + ']' : '');
}

function check(c, i) {
  const w = words[lang], kind = !c.ok ? 'bad' : c.note ? 'note' : 'good';
  const small = (name, text) => element('p', {className: 'small'}, name + ': ', element('span', {lang: 'en'}, text));
  const body = element('div', {className: 'check'}, element('p', {className: 'asked'}, question(i)),
    c.detail && element('p', {lang: 'en'}, c.detail),
    kind === 'bad' && c.why && small(w.why, c.why),
    kind !== 'good' && c.fix && small(w.fix, c.fix),
    kind === 'bad' && small(w.check, c.id));
  return element('li', {className: kind}, element('span', {className: 'sign'}, {bad: '✗', note: '!', good: '✓'}[kind]), body);
}

function list(title, checks, folded) {
  if (checks.length === 0) return null;
  const items = element('ol', {className: 'checks'}, ...checks);
  const name = title + ' (' + checks.length + ')';
  return folded ? element('details', {open: false}, element('summary', {}, element('b', {}, name)), items) : element('div', {}, element('h3', {}, name), items);
}

function summary(r) {
  const notes = r.checks.filter(c => c.note), alone = notes.find(c => c.id === 'agreement.one_sided');
  const counts = {n: r.checks.length, f: r.checks.filter(c => !c.ok).length, k: notes.length};
  return words[lang].sum.replace(/%([nfk])/g, (_, k) => counts[k]) + (alone ? ' ' + alone.detail : '');
}

function show() {
  if (!shown) return;
  const w = words[lang], r = shown.report;
  $('result').hidden = false;
  $('verdict').className = r && r.ok ? 'holds' : 'fails';
  $('mark').textContent = r && r.ok ? '✓' : '✗';
  $('said').textContent = !r ? w.broken : r.kind === 'equivocation' ? (r.ok ? w.forked : w.unforked) : r.ok ? w.holds : w.fails;
  $('summary').textContent = r ? summary(r) : shown.error;
  $('save').hidden = !r;
  const facts = [[w.file, shown.file.name], [w.size, shown.file.size.toLocaleString(lang) + ' ' + w.bytes]];
  if (r) facts.push([w.own, shown.given.join(', ') || w.none]);
  $('about').replaceChildren(...facts.flatMap(([k, v]) => [element('dt', {}, k), element('dd', {}, v)]));
  const items = {bad: [], note: [], good: []};
  if (r) r.checks.forEach((c, i) => { const li = check(c, i); items[li.className].push(li); });
  $('checks').replaceChildren(...[list(w.failed, items.bad), list(w.notes, items.note), list(w.passed, items.good, true)].filter(e => e));
}

$('file').onchange = e => { const f = e.target.files[0]; if (f) verify(f); };
for (const id of ['policy', 'dids']) $(id).onchange = () => { if (shown) verify(shown.file); };
for (const b of document.querySelectorAll('[data-lang]')) b.onclick = () => { lang = b.dataset.lang; translate(); };
const drop = document.querySelector('.drop');
document.addEventListener('dragover', e => { e.preventDefault(); drop.classList.add('over'); });
document.addEventListener('dragleave', () => drop.classList.remove('over'));
document.addEventListener('drop', e => { e.preventDefault(); drop.classList.remove('over'); const f = e.dataTransfer.files[0]; if (f) verify(f); });
$('print').onclick = () => print();
addEventListener('beforeprint', () => { for (const d of document.querySelectorAll('#checks details')) d.open = true; });
$('save').onclick = () => {
  const a = element('a', {href: URL.createObjectURL(new Blob([shown.text], {type: 'application/json'})), download: shown.file.name + '.report.json'});
  a.click();
  URL.revokeObjectURL(a.href);
};
translate();
