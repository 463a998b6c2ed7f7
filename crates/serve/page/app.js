// The page: takes what is dropped, recorded or typed, asks one model or two, and shows what they say.

import { models as listModels, predict, useToken } from './api.js';
import { describe, render, summary } from './answers.js';
import { element, foreign } from './elements.js';
import { heading, picture, sound, text } from './inputs.js';
import { LONGEST, record } from './sound.js';

/** The most probable classes that are asked for. */
const TOP = 5;
/** So many inputs stay on the page, the newest first. */
const KEPT = 24;
/** So many questions are under way at once: the server's queue is for others, too. */
const AT_ONCE = 4;

const $ = id => document.getElementById(id);
const INPUTS = {
  image: { title: 'Show a picture', choose: 'Choose pictures' },
  audio: { title: 'Play a sound', choose: 'Choose recordings' },
  text: { title: 'Write a sentence' },
};

let models = [];
let entries = [];
let counted = 0;

/** Shows what went wrong in one line, or takes it away. */
function fault(message) {
  $('fault').textContent = message ?? '';
  $('fault').hidden = !message;
}

const chosen = () => [$('first'), $('second')]
  .map(select => models.find(model => model.name === select.value))
  .filter(model => model !== undefined);

/** Whether two models can be asked the same. */
const alike = (one, other) => one.modality === other.modality && one.pairs === other.pairs;

// Questions, a few at a time.

let free = AT_ONCE;
const waiting = [];

async function inTurn(work) {
  if (free > 0) free--;
  else await new Promise(go => waiting.push(go));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else free++;
  }
}

// Entries: an input, and the answers to it.

/** Asks a model, and puts the answer into its column. */
async function ask(entry, model, column) {
  let drawn, said, took;
  try {
    const answer = await inTurn(async () => {
      // Others may have been chosen while this one waited.
      if (!column.isConnected) return null;
      const start = performance.now();
      const found = await predict(model.name, entry.input, TOP);
      took = Math.round(performance.now() - start);
      return found;
    });
    if (!answer) return null;
    drawn = render(answer, model, entry.input, entry.part);
    drawn.append(element('p', { class: 'soft' }, `Answered in ${took} ms`));
    said = summary(answer, model.task);
  } catch (error) {
    drawn = element('p', { class: 'fault' }, error.message);
    if (error.status === 401) $('token').hidden = false;
    said = error.message;
  }
  column.lastChild.replaceWith(drawn);
  column.ariaBusy = 'false';
  if (column.isConnected) $('status').textContent = `${entry.name}, ${model.name}: ${said}`;
  return drawn.matches('.fault') ? null : said;
}

/** Asks all chosen models about an entry. */
async function askAll(entry) {
  const asked = chosen();
  const columns = asked.map(model => element('section', { class: 'answer', 'aria-busy': 'true' },
    element('h4', {}, foreign(model.name)), element('p', { class: 'soft' }, '…')));
  entry.verdict.textContent = '';
  entry.answers.replaceChildren(...columns);
  entry.answers.classList.toggle('two', asked.length > 1);
  const said = await Promise.all(asked.map((model, at) => ask(entry, model, columns[at])));
  // Numbers are hardly ever the same, and different tasks never.
  const { task } = asked[0];
  const comparable = asked.length > 1 && task === asked[1].task && task !== 'regression';
  if (!comparable || said.includes(null) || !columns[0].isConnected) return;
  entry.verdict.textContent = said[0] === said[1] ? 'The same answer' : 'Different answers';
}

/** A new entry, at the top. */
async function add(input, name) {
  const drawn = element('div', { class: 'given' });
  const remove = element('button', { type: 'button', class: 'quiet', 'aria-label': `Remove ${name}` },
    'Remove');
  const entry = {
    input, name,
    verdict: element('span', { class: 'verdict' }),
    answers: element('div', { class: 'columns' }),
    // What a word's place is good for once the sound is drawn.
    part: (...seconds) => entry.mark?.(...seconds),
  };
  entry.article = element('article', { class: 'panel entry', 'aria-label': name },
    element('div', { class: 'row title' }, heading(name), entry.verdict, remove), drawn, entry.answers);
  remove.onclick = () => {
    forget(entry);
    $('answers').focus();
  };
  entries.unshift(entry);
  $('answers').prepend(entry.article);
  entries.slice(KEPT).forEach(forget);
  const answered = askAll(entry);
  const { modality } = chosen()[0];
  if (modality === 'text') {
    drawn.append(text(input));
  } else if (modality === 'image') {
    drawn.append(await picture(input));
  } else {
    entry.article.classList.add('sound');
    const shown = await sound(input);
    drawn.append(shown.drawn);
    entry.mark = shown.part;
  }
  await answered;
}

function forget(entry) {
  entries = entries.filter(other => other !== entry);
  entry.article.remove();
}

/** Files that were chosen, dropped or pasted: the first of them ends up on top. */
function take(files) {
  if ($('files').hidden || files.length === 0) return;
  const some = [...files].slice(0, KEPT);
  fault(some.length < files.length ? `Only the first ${KEPT} of ${files.length} files are taken.` : null);
  some.reverse().forEach(file => add(file, file.name));
}

// What is asked for.

/** Shows the inputs that fit the chosen model, and the models that it can be compared with. */
function arrange() {
  const [model] = chosen();
  const other = $('second').value;
  const others = models.filter(one => one !== model && alike(one, model));
  $('second').replaceChildren(new Option('no other', ''), ...others.map(({ name }) => new Option(name, name)));
  if (others.some(one => one.name === other)) $('second').value = other;
  $('second').disabled = others.length === 0;

  const words = INPUTS[model.modality];
  const { pairs } = model;
  const files = model.modality !== 'text';
  $('input').hidden = false;
  $('ask').textContent = pairs ? 'Write two sentences' : words.title;
  const about = one => element('li', {}, foreign(one.name), `: ${describe(one)}`);
  $('about').replaceChildren(...chosen().map(about));
  $('files').hidden = !files;
  $('text').hidden = files;
  $('choose').textContent = words.choose ?? '';
  $('file').accept = model.extensions.map(extension => `.${extension}`).join(',');
  $('other').hidden = !pairs;
  $('partner').required = pairs;
  $('sentence-label').textContent = pairs ? 'First sentence' : 'Sentence';
  $('microphone').hidden = model.modality !== 'audio';
  // Browsers give the microphone to pages of this machine, and to others by HTTPS alone.
  const heard = navigator.mediaDevices !== undefined;
  $('record').disabled = !heard;
  if (!heard) $('seconds').textContent = 'The browser gives the microphone by HTTPS alone.';
}

/** Asks again what is on the page, of models that were chosen since. */
function changed(select) {
  const before = $('input').dataset.kind;
  arrange();
  const [model] = chosen();
  const kind = `${model.modality} ${model.pairs}`;
  $('input').dataset.kind = kind;
  if (select === 'first' && kind !== before) entries.slice().forEach(forget);
  entries.forEach(askAll);
}

/** Asks for the models, and again where a token is wanted. */
async function start() {
  try {
    models = await listModels();
  } catch (error) {
    fault(error.status === 401 && $('token').hidden ? null : error.message);
    $('token').hidden = error.status !== 401;
    if (error.status === 401) $('secret').focus();
    return;
  }
  $('token').hidden = true;
  fault(models.length === 0 ? 'The server has no model.' : null);
  if (models.length === 0) return;
  $('first').replaceChildren(...models.map(({ name }) => new Option(name, name)));
  $('models').hidden = false;
  changed('first');
}

$('first').onchange = () => changed('first');
$('second').onchange = () => changed('second');

$('token').onsubmit = event => {
  event.preventDefault();
  useToken($('secret').value);
  $('secret').value = '';
  start();
};

$('file').onchange = () => {
  take($('file').files);
  $('file').value = '';
};
// A text that is dropped goes where it is dropped.
const hasFiles = event => event.dataTransfer.types.includes('Files');
document.ondragover = event => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  document.body.classList.add('over');
};
document.ondragleave = event => {
  if (!event.relatedTarget) document.body.classList.remove('over');
};
document.ondrop = event => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  document.body.classList.remove('over');
  take(event.dataTransfer.files);
};
document.onpaste = event => take(event.clipboardData.files);

$('text').onsubmit = event => {
  event.preventDefault();
  const pair = !$('other').hidden;
  const name = `${pair ? 'Pair' : 'Sentence'} ${++counted}`;
  add(pair ? [$('sentence').value, $('partner').value] : $('sentence').value, name);
};
$('text').onkeydown = event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) $('text').requestSubmit();
};

let stop = null;
$('record').onclick = async () => {
  fault(null);
  $('record').disabled = true;
  try {
    if (stop) {
      const ended = stop;
      stop = null;
      const sound = await ended();
      const name = `Recording ${++counted}`;
      take([new File([sound], `${name}.wav`, { type: sound.type })]);
    } else {
      stop = await record(seconds => {
        $('seconds').textContent = `${seconds.toFixed(1)} s`;
        if (seconds > LONGEST && stop) $('record').click();
      });
    }
  } catch (error) {
    fault(`The microphone cannot be used: ${error.message}`);
  }
  $('record').disabled = false;
  $('record').textContent = stop ? 'Stop' : 'Record';
  $('record').classList.toggle('on', stop !== null);
  if (!stop) $('seconds').textContent = '';
};

start();
