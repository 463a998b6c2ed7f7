// The server's API: which models it has, and what one of them answers.

let token = '';

/** Keeps a token for all that is asked from now on, in memory alone. */
export function useToken(text) {
  token = text;
}

/** What the server refused. The status is 401 where a token is missing or wrong, 0 where none came. */
export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (token) headers.set('Authorization', `Bearer ${token}`);
  let response, body;
  try {
    response = await fetch(path, { ...options, headers });
    body = await response.text();
  } catch {
    throw new Refusal('The server does not answer. Is it still running?', 0);
  }
  let said = null;
  try {
    said = JSON.parse(body);
  } catch {
    // Something between us and the server may answer in words of its own.
  }
  if (response.ok && said) return said;
  const status = `${response.status} ${response.statusText}`.trim();
  throw new Refusal(said?.error?.message ?? `The server answered ${status}.`, response.status);
}

/** The models, in the server's order. */
export async function models() {
  return (await ask('v1/models')).models;
}

/** The answer of a model to one input: a `Blob`, a text, or two of them. */
export async function predict(model, input, top) {
  const path = `v1/models/${encodeURIComponent(model)}/predict?top=${top}`;
  const options = input instanceof Blob
    ? { body: input, headers: { 'Content-Type': 'application/octet-stream' } }
    : { body: JSON.stringify({ inputs: [input] }), headers: { 'Content-Type': 'application/json' } };
  const { predictions } = await ask(path, { method: 'POST', ...options });
  return predictions[0];
}
