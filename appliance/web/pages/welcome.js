/** Who has told their browser already to trust the device need not read this page again. */

const secure = document.body.dataset.secure ?? "";

try {
  await fetch(new URL("healthz", secure), { mode: "no-cors", cache: "no-store" });
  location.replace(secure);
} catch {
  document.body.dataset.phase = "untrusted";
}
