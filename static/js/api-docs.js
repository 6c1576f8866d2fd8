"use strict";
// The tokens are kept in variables alone: nothing of them is in a cookie or in what the browser stores.

const form = document.getElementById("sign-in");
const refused = document.getElementById("refused");
let tokens = null;
let renewal = 0;

const ui = window.SwaggerUIBundle({
  url: document.getElementById("api").dataset.document,
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null, // the default asks a server elsewhere
  persistAuthorization: false,
  requestInterceptor(request) {
    if (!request.loadSpec) request.credentials = "omit";
    else if (tokens) request.headers.Authorization = `Bearer ${tokens.access_token}`; // and the models are in it
    return request;
  },
});

function call(address, init) {
  return fetch(address, { method: "POST", credentials: "omit", ...init });
}

function bearer(token) {
  return { headers: { Authorization: `Bearer ${token}` } };
}

function take(found) {
  tokens = found;
  ui.preauthorizeApiKey("bearer", found.access_token);
  renewal = setTimeout(renew, found.expires_in * 800); // before it ends: 80 % of its seconds
}

async function renew() {
  const answer = await call(form.dataset.refresh, bearer(tokens.refresh_token));
  if (answer.ok) take(await answer.json());
  else leave("The sign-in has ended; sign in again.");
}

function leave(why) {
  clearTimeout(renewal);
  tokens = null;
  ui.authActions.logout(["bearer"]);
  show("", why);
}

function show(name, why) {
  form.hidden = name !== "";
  document.getElementById("signed-in").hidden = name === "";
  document.getElementById("name").textContent = name;
  refused.textContent = why;
  ui.specActions.download();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { username, password, otp } = Object.fromEntries(new FormData(form));
  const body = JSON.stringify({ username, password, ...(otp ? { otp } : {}) });
  const answer = await call(form.dataset.login, { headers: { "Content-Type": "application/json" }, body });
  const found = await answer.json();
  if (!answer.ok) {
    refused.textContent = found.detail;
    return;
  }
  form.reset();
  take(found);
  show(username, "");
});

document.getElementById("sign-out").addEventListener("click", async () => {
  await call(form.dataset.logout, bearer(tokens.access_token));
  leave("");
});

document.getElementById("who").hidden = false;
