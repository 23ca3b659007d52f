# table: the style and the script of the page of `psremoting.capture.html_page`
"""Style and script of the HTML page. The script sets text only, never markup."""

from __future__ import annotations

__all__ = ["SCRIPT", "STYLE"]

STYLE = """
*{box-sizing:border-box}
body{margin:0;height:100vh;display:flex;flex-direction:column;font:13px/1.4 system-ui,sans-serif;
background:#fff;color:#1c2430}
header{display:flex;gap:8px;align-items:center;padding:6px 10px;border-bottom:1px solid #d5dbe3;
flex-wrap:wrap}
h1{font-size:14px;margin:0 8px 0 0}
input,select,button{font:inherit;padding:2px 6px}
#search{width:220px}
#count{color:#5b6675;margin-left:auto}
#lanes{position:relative;height:150px;overflow-y:auto;border-bottom:1px solid #d5dbe3;flex:none}
#chart{position:sticky;top:0;left:0;display:block;width:100%;height:150px}
main{flex:1;display:flex;min-height:0}
#list{flex:1;overflow:auto;position:relative;outline:none;min-width:0}
#rows{position:absolute;top:0;left:0;right:0}
.row{height:22px;line-height:22px;display:flex;white-space:pre;cursor:pointer;
font-family:ui-monospace,monospace;font-size:12px;padding:0 8px;overflow:hidden}
.row:hover{background:#eef3fa}
.row.on{background:#d9e7fb}
.row span{flex:none;overflow:hidden;text-overflow:ellipsis}
.n{width:64px;text-align:right;color:#8a94a3;padding-right:8px}
.t{width:92px;text-align:right;padding-right:8px;color:#5b6675}
.d{width:18px}.l{width:78px;color:#2457a6}.y{width:230px;padding-right:8px}
.s{flex:1 1 auto!important}
.bad .y,.bad .s{color:#b3261e}.warn .y{color:#8a5a00}.out .y{color:#1a7f37}.act{color:#6b7684}
.new .y{font-weight:600;color:#0b6e8a}
aside{width:38%;border-left:1px solid #d5dbe3;display:flex;flex-direction:column;min-width:240px}
nav{padding:4px 8px;border-bottom:1px solid #d5dbe3}
button.on{font-weight:600}
#detail,#screen{overflow:auto;flex:1;margin:0;padding:8px;font-family:ui-monospace,monospace;
font-size:12px;white-space:pre-wrap;overflow-wrap:anywhere}
#screen{background:#10151c;color:#c8d0da}
details{margin-left:12px}summary{cursor:pointer;margin-left:-12px}
.leaf{margin-left:12px}.key{color:#2457a6}
[hidden]{display:none!important}
"""

SCRIPT = r"""
'use strict';
const DATA = JSON.parse(document.getElementById('data').textContent);
const ROWS = DATA.rows, LANES = DATA.lanes, HEIGHT = 22, LANE = 14;
const N = 0, T = 1, D = 2, L = 3, Y = 4, S = 5, P = 6, B = 7, C = 8;
const by = id => document.getElementById(id);
const list = by('list'), rowsBox = by('rows'), chart = by('chart');
const origin = ROWS.reduce((a, r) => r[T] === null || a !== null && a <= r[T] ? a : r[T], null);
const last = ROWS.reduce((a, r) => r[T] === null || a !== null && a >= r[T] ? a : r[T], null);
const shift = origin !== null && origin > 1e8 ? origin : 0;
const texts = new Array(ROWS.length);
const COLOURS = ['#0c0c0c', '#0037da', '#13a10e', '#3a96dd', '#c50f1f', '#b86ad9', '#c19c00',
  '#cccccc', '#8a8a8a', '#3b78ff', '#16c60c', '#61d6d6', '#e74856', '#d670d6', '#f9f1a5', '#fff'];
let shown = [], selected = -1;

function kind(type) {
  if (/^(error|incomplete|refused)$|ERROR_RECORD|Fault|:error$/.test(type)) return 'bad';
  if (/WARNING|VERBOSE|DEBUG|PROGRESS|INFORMATION/.test(type)) return 'warn';
  if (/PIPELINE_(OUTPUT|INPUT)/.test(type)) return 'out';
  if (/CREATE_PIPELINE|GET_COMMAND/.test(type)) return 'new';
  return type.includes(':') ? 'act' : '';
}
function textOf(i) {
  if (texts[i] === undefined) {
    const r = ROWS[i];
    texts[i] = (r[Y] + ' ' + r[S] + ' ' + (r[B] === null ? '' : JSON.stringify(r[B])))
      .toLowerCase();
  }
  return texts[i];
}
function add(parent, tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  parent.appendChild(made);
  return made;
}
function clock(t) { return t === null ? '' : (t - shift).toFixed(3); }

function filter() {
  const words = by('search').value.toLowerCase(), lane = by('lane').value;
  const sender = by('sender').value, type = by('type').value, all = by('plumbing').checked;
  shown = [];
  for (let i = 0; i < ROWS.length; i++) {
    const r = ROWS[i];
    if (r[P] && !all || lane !== '' && r[L] !== +lane || sender && r[D] !== sender) continue;
    if (type && r[Y] !== type || words && !textOf(i).includes(words)) continue;
    shown.push(i);
  }
  by('count').textContent = shown.length + ' of ' + ROWS.length + ' lines';
  by('space').style.height = shown.length * HEIGHT + 'px';
  list.scrollTop = Math.min(list.scrollTop, shown.length * HEIGHT);
  draw();
  paint();
}
function draw() {
  const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 10);
  const end = Math.min(shown.length, first + Math.ceil(list.clientHeight / HEIGHT) + 20);
  rowsBox.style.transform = 'translateY(' + first * HEIGHT + 'px)';
  rowsBox.textContent = '';
  for (let at = first; at < end; at++) {
    const i = shown[at], r = ROWS[i];
    const row = add(rowsBox, 'div', undefined, 'row ' + kind(r[Y]) + (i === selected ? ' on' : ''));
    row.dataset.i = i;
    add(row, 'span', r[N], 'n');
    add(row, 'span', clock(r[T]), 't');
    add(row, 'span', r[D] === 'c' ? '\u2192' : r[D] === 's' ? '\u2190' : '', 'd');
    add(row, 'span', LANES[r[L]], 'l');
    add(row, 'span', r[Y], 'y');
    add(row, 'span', r[S], 's');
  }
}
function tree(parent, value, name, open) {
  if (value !== null && typeof value === 'object') {
    const names = Object.keys(value), box = add(parent, 'details');
    box.open = open;
    const head = add(box, 'summary');
    add(head, 'span', name, 'key');
    add(head, 'span', Array.isArray(value) ? ' [' + names.length + ']' : ' {' + names.length + '}');
    const fill = () => {
      for (const each of names) tree(box, value[each], each, names.length < 4);
    };
    if (open) fill();
    else box.addEventListener('toggle', fill, {once: true});
  } else {
    const leaf = add(parent, 'div', undefined, 'leaf');
    add(leaf, 'span', name + ': ', 'key');
    add(leaf, 'span', value === null ? 'null' : String(value));
  }
}
function select(i) {
  selected = i;
  const r = ROWS[i], box = by('detail');
  box.textContent = '';
  add(box, 'div', '#' + r[N] + '  ' + r[Y]);
  add(box, 'div', r[S]);
  if (r[B] !== null) tree(box, r[B], 'body', true);
  draw();
  screen();
  paint();
}
function screen() {
  const box = by('screen');
  if (box.hidden) return;
  box.textContent = '';
  const end = selected < 0 ? ROWS.length - 1 : selected;
  const parts = [];
  for (let i = end; i >= 0 && parts.length < 5000; i--)
    if (ROWS[i][C]) parts.push(...ROWS[i][C].slice().reverse());
  for (const [text, fore, back] of parts.reverse()) {
    const part = add(box, 'span', text);
    part.style.color = COLOURS[fore] || '';
    if (back) part.style.background = COLOURS[back] || '';
  }
  box.scrollTop = box.scrollHeight;
}
const spans = LANES.map(() => [null, null]);
for (const r of ROWS) if (r[T] !== null) {
  const s = spans[r[L]];
  if (s[0] === null || r[T] < s[0]) s[0] = r[T];
  if (s[1] === null || r[T] > s[1]) s[1] = r[T];
}
function across(t, width) {
  return last === origin ? 90 : 90 + (t - origin) / (last - origin) * (width - 110);
}
function paint() {
  const scale = devicePixelRatio || 1, width = by('lanes').clientWidth, height = 150;
  chart.width = width * scale;
  chart.height = height * scale;
  const c = chart.getContext('2d'), top = by('lanes').scrollTop;
  c.scale(scale, scale);
  c.font = '10px ui-monospace,monospace';
  const at = lane => 24 + lane * LANE - top;
  for (let lane = 0; lane < LANES.length; lane++) {
    const y = at(lane);
    if (y < 14 || y > height) continue;
    c.fillStyle = '#2457a6';
    c.fillText(LANES[lane], 6, y + 9);
    if (spans[lane][0] !== null) {
      const x = across(spans[lane][0], width);
      c.fillStyle = '#e4eaf2';
      c.fillRect(x, y + 1, Math.max(2, across(spans[lane][1], width) - x), LANE - 4);
    }
  }
  const ink = {bad: '#b3261e', warn: '#c98a00', out: '#1a7f37', new: '#0b6e8a', act: '#aab3bf'};
  if (origin !== null) for (const i of shown) {
    const r = ROWS[i], y = at(r[L]);
    if (r[T] === null || y < 14 || y > height) continue;
    c.fillStyle = ink[kind(r[Y])] || '#5b6675';
    c.fillRect(across(r[T], width), y, 1.5, LANE - 2);
  }
  c.fillStyle = '#fff';
  c.fillRect(0, 0, width, 16);
  c.fillStyle = '#5b6675';
  if (origin !== null) for (let n = 0; n <= 8; n++) {
    const t = origin + (last - origin) * n / 8;
    c.fillText((t - origin).toFixed(2) + ' s', across(t, width) - (n === 8 ? 34 : 0), 11);
  }
  if (selected >= 0 && ROWS[selected][T] !== null) {
    c.fillStyle = '#1f6feb';
    c.fillRect(across(ROWS[selected][T], width), 16, 1, height - 16);
  }
}
function reveal(at) {
  list.scrollTop = Math.max(0, at * HEIGHT - list.clientHeight / 2);
  select(shown[at]);
}
chart.addEventListener('click', event => {
  const box = chart.getBoundingClientRect(), width = by('lanes').clientWidth;
  const x = event.clientX - box.left, y = event.clientY - box.top;
  const lane = Math.floor((y - 24 + by('lanes').scrollTop) / LANE);
  let best = -1, near = Infinity;
  for (let at = 0; at < shown.length; at++) {
    const r = ROWS[shown[at]];
    if (r[T] === null) continue;
    const far = Math.abs(across(r[T], width) - x) + (r[L] === lane ? 0 : 1000);
    if (far < near) { near = far; best = at; }
  }
  if (best >= 0) reveal(best);
});
rowsBox.addEventListener('click', event => {
  const row = event.target.closest('.row');
  if (row) select(+row.dataset.i);
});
list.addEventListener('keydown', event => {
  const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
  if (!step || !shown.length) return;
  event.preventDefault();
  const at = shown.indexOf(selected) + step;
  if (at >= 0 && at < shown.length) reveal(at);
});
function panel(name) {
  by('detail').hidden = name !== 'body';
  by('screen').hidden = name !== 'screen';
  by('show-body').className = name === 'body' ? 'on' : '';
  by('show-screen').className = name === 'screen' ? 'on' : '';
  screen();
}
by('show-body').addEventListener('click', () => panel('body'));
by('show-screen').addEventListener('click', () => panel('screen'));
LANES.forEach((name, i) => { add(by('lane'), 'option', name).value = i; });
const counts = new Map();
for (const r of ROWS) counts.set(r[Y], (counts.get(r[Y]) || 0) + 1);
for (const [name, count] of [...counts].sort())
  add(by('type'), 'option', name + ' (' + count + ')').value = name;
for (const id of ['lane', 'sender', 'type', 'plumbing']) by(id).addEventListener('change', filter);
let timer;
by('search').addEventListener('input', () => {
  clearTimeout(timer);
  timer = setTimeout(filter, 120);
});
by('lane-space').style.height = Math.max(0, 30 + LANES.length * LANE - 150) + 'px';
by('lanes').addEventListener('scroll', paint);
list.addEventListener('scroll', () => requestAnimationFrame(draw));
addEventListener('resize', () => { draw(); paint(); });
filter();
"""
