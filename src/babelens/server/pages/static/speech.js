// Speaking instead of typing, where the browser can listen.

const Recognition = window.SpeechRecognition ?? window.webkitSpeechRecognition;

export function offerSpeech() {
  const button = document.getElementById("speak");
  if (!button || !Recognition || !window.isSecureContext) return;
  button.hidden = false;
  const name = button.getAttribute("aria-label");
  let listener = null;
  button.addEventListener("click", () => {
    if (listener) { listener.stop(); return; }
    const box = document.getElementById("q");
    listener = new Recognition();
    listener.lang = document.getElementById("in")?.value || document.documentElement.lang;
    listener.interimResults = true;
    button.setAttribute("aria-pressed", "true");
    button.setAttribute("aria-label", button.dataset.listening);
    listener.addEventListener("result", (event) => {
      box.value = [...event.results].map((result) => result[0].transcript).join("");
      if (event.results[event.results.length - 1].isFinal) box.form.requestSubmit();
    });
    listener.addEventListener("end", () => {
      listener = null;
      button.removeAttribute("aria-pressed");
      button.setAttribute("aria-label", name);
    });
    listener.start();
  });
}
