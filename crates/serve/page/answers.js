// Answers of every task, drawn. Their form is that of `predict`'s JSON Lines.

import { element, foreign, percent } from './elements.js';

/** So many labels are shown; the others are folded away. */
const SHOWN = 10;
/** So many colours there are for kinds of entities. */
const COLOURS = 8;

/** What an answer says in a few words, to be read out and compared. */
export function summary(answer, task) {
  if (answer.transcript) return answer.transcript.text;
  if (answer.entities) {
    return answer.entities.map(e => `${e.word ?? ''} ${e.entity_group}`.trim()).join(', ') || 'nothing';
  }
  if (answer.values) return answer.values.map(v => `${v.name} ${number(v.value)}`).join(', ');
  if (task === 'multi_label_classification') {
    return answer.labels.filter(one => applies(answer, one)).map(one => one.label).sort().join(', ') || 'nothing';
  }
  return answer.labels?.[0]?.label ?? 'nothing';
}

/** Whether one of several labels applies: by thresholds that the model may have of its own. */
function applies({ applying }, { label, probability }) {
  return applying ? applying.includes(label) : probability > 0.5;
}

/** What a model can answer, in a few words. */
export function describe({ task, labels }) {
  const named = task === 'token_classification' ? kinds(labels) : labels;
  const some = named.slice(0, 5).join(', ') + (named.length > 5 ? ', …' : '');
  return task.replaceAll('_', ' ') + (task === 'transcription' ? '' : `, ${named.length}: ${some}`);
}

/** The kinds of entities that labels in the schemes IOB and IOBES stand for. */
function kinds(labels) {
  return [...new Set(labels.map(label => label.replace(/^[BIESLU]-/, '')))].filter(kind => kind !== 'O');
}

/**
 * An answer as an element. `part` is told of the seconds of a word, and of what becomes of it: it is
 * `on` while it is pointed at, then `off`, and `play` where it is chosen.
 */
export function render(answer, model, given, part) {
  const drawn = answer.transcript ? transcript(answer.transcript, part)
    : answer.entities ? entities(answer, model, given)
    : answer.values ? values(answer.values)
    : labels(answer, model.task);
  return element('div', { class: 'drawn' }, drawn, answer.cut ? cut(answer.cut) : null);
}

/** What of the input a model has not taken. */
function cut({ taken, whole, unit }) {
  const note = `The model takes ${amount(taken)} of the ${amount(whole)} ${unit} that are there.`;
  return element('p', { class: 'soft' }, note);
}

function amount(value) {
  return String(Number(value.toFixed(2)));
}

/** A number with four digits that count. */
function number(value) {
  return String(Number(value.toPrecision(4)));
}

/**
 * Classes or labels as bars. A model may tell which of several labels apply, by thresholds of its own,
 * and a set in which the class is with a certain probability.
 */
function labels({ labels: all, applying, set }, task) {
  const several = task === 'multi_label_classification';
  const row = ({ label, probability }, at) => {
    const bar = element('span', { class: 'bar', 'aria-hidden': 'true' }, element('span'));
    bar.firstChild.style.width = `${100 * probability}%`;
    const chosen = several ? applies({ applying }, { label, probability }) : at === 0;
    const name = element('span', {}, foreign(label || '(no name)'));
    // Of several labels, those that apply; of classes, the order tells.
    if (several && chosen) name.append(element('span', { class: 'hidden' }, ' applies'));
    return element('li', { class: chosen ? 'chosen' : '' }, name, percent(probability), bar);
  };
  const rows = all.map(row);
  const list = part => element('ol', { class: 'bars' }, ...part);
  const rest = rows.slice(SHOWN);
  const more = rest.length
    ? element('details', {}, element('summary', {}, `${rest.length} more`), list(rest))
    : null;
  const within = set
    ? element('p', { class: 'soft' }, `${amount(100 * set.level)} % set: `, foreign(set.labels.join(', ') || 'no class'))
    : null;
  return element('div', {}, list(rows.slice(0, SHOWN)), more, within);
}

/** Numbers with their names. */
function values(all) {
  return element('dl', { class: 'values' }, ...all.flatMap(({ name, value, sigmoid }) => [
    element('dt', {}, foreign(name)),
    element('dd', {}, element('data', { value: String(value) }, number(value)),
      ...(sigmoid === undefined ? [] : [element('small', {}, ' sigmoid ', percent(sigmoid))])),
  ]));
}

/** What was heard, word by word; a word whose place is known is a button that plays it. */
function transcript({ text, words }, part) {
  if (!text) return element('p', { class: 'soft' }, 'No words.');
  if (!words.some(word => word.start !== undefined)) return element('p', { class: 'said' }, foreign(text));
  const spoken = ({ word, start, end, probability }) => {
    if (start === undefined) return element('li', {}, foreign(word));
    const button = element('button', { type: 'button', 'data-start': start, 'data-end': end },
      foreign(word),
      element('small', {}, `${start.toFixed(2)} to ${end.toFixed(2)} s`),
      element('small', {}, percent(probability)));
    const point = whether => part(start, end, whether);
    button.onmouseenter = button.onfocus = () => point('on');
    button.onmouseleave = button.onblur = () => point('off');
    button.onclick = () => point('play');
    return element('li', {}, button);
  };
  return element('ol', { class: 'words', 'aria-label': 'Words; choose one to hear it' }, ...words.map(spoken));
}

/** A text with its entities marked: each with its kind in words, beside the colour. */
function entities({ entities: found, text }, model, given) {
  const known = kinds(model.labels);
  const mark = (entity, words) => {
    const colour = Math.max(known.indexOf(entity.entity_group), 0) % COLOURS;
    return element('mark', { class: `entity e${colour}` }, foreign(words),
      element('small', {}, ' ', foreign(entity.entity_group), ' ', percent(entity.score)));
  };
  const placed = found.filter(entity => entity.start !== undefined).sort((a, b) => a.start - b.start);
  if (placed.length < found.length) {
    const row = entity => element('li', {}, mark(entity, entity.word ?? ''));
    return element('ul', { class: 'plain' }, ...found.map(row));
  }
  // Places are counted in characters of Unicode, and JavaScript's strings in halves of some.
  const characters = Array.from(text ?? given);
  const slice = (from, to) => characters.slice(from, to).join('');
  let at = 0;
  const parts = placed.flatMap(entity => {
    const before = slice(at, entity.start);
    at = entity.end;
    return [before, mark(entity, slice(entity.start, entity.end))];
  });
  const note = found.length ? null : element('p', { class: 'soft' }, 'Nothing is marked.');
  return element('div', {}, element('p', { class: 'said', dir: 'auto' }, ...parts, slice(at)), note);
}
