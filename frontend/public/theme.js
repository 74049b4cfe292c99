// Before the first paint: the theme and the language, so that nothing flashes. Kept apart since the policy allows no inline script.
(function () {
  var saved = {};
  try {
    saved = JSON.parse(localStorage.getItem("preferences") || "{}").state || {};
  } catch {
    // Storage that is closed or broken: the system's choice.
  }
  var dark = saved.theme === "dark" || (saved.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  var root = document.documentElement;
  root.dataset.theme = dark ? "dark" : "light";
  root.lang = saved.language || (/^ko\b/.test(navigator.language) ? "ko" : "en");
  document.querySelector('meta[name="theme-color"]').content = dark ? "#1b1a18" : "#fbfaf8";
})();
