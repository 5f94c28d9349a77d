// Shows the OpenAPI document of this host. A search looks at name, address, method, roles and text.
"use strict";

const page = document.getElementById("docs");
const METHODS = ["get", "put", "post", "delete", "patch", "head", "options"];

function textOf(operation) {
  const described = operation.get("operation");
  const roles = described.get("x-roles");
  return [
    operation.get("method"),
    operation.get("path"),
    described.get("summary"),
    described.get("description"),
    roles ? roles.join(" ") : "",
  ]
    .join(" ")
    .toLowerCase();
}

function filterOperations(tagged, phrase) {
  const wanted = phrase.trim().toLowerCase();
  return tagged
    .map((tag, name) =>
      name.toLowerCase().includes(wanted)
        ? tag
        : tag.set("operations", tag.get("operations").filter((one) => textOf(one).includes(wanted)))
    )
    .filter((tag) => tag.get("operations").size > 0);
}

window.SwaggerUIBundle({
  url: "/openapi.json",
  domNode: page,
  presets: [window.SwaggerUIBundle.presets.apis],
  plugins: [() => ({ fn: { opsFilter: filterOperations } })],
  layout: "BaseLayout",
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: -1,
  filter: true,
  validatorUrl: null,
  supportedSubmitMethods: page.dataset.tryIt === "true" ? METHODS : [],
  onComplete: () => {
    const field = document.querySelector(".operation-filter-input");
    if (field) field.placeholder = "Cari / Search";
  },
});
