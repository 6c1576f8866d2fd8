"use strict";

window.SwaggerUIBundle({
  url: document.getElementById("api").dataset.document,
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null, // the default asks a server elsewhere
  persistAuthorization: false,
});
