// Names for what the theme and the widgets leave without one, for those who cannot see it.
"use strict";

const nameControls = () => {
  for (const summary of document.querySelectorAll("nav summary:not([aria-label])")) {
    const entry = summary.closest("li")?.querySelector("a");
    summary.setAttribute("aria-label", `Pages below ${entry?.textContent.trim() ?? "this one"}`);
  }
  for (const handle of document.querySelectorAll(".noUi-handle:not([aria-label])")) {
    const label = handle.closest(".widget-inline-hbox")?.querySelector(".widget-label");
    handle.setAttribute("aria-label", label?.textContent.trim() || "slider");
  }
};

document.addEventListener("DOMContentLoaded", () => {
  // The widgets ask for the typesetter of MathJax 2, and fail where only MathJax 3 is there.
  if (window.MathJax && !window.MathJax.Hub) {
    window.MathJax.Hub = { Queue: () => {} };
  }
  nameControls();
  // Widgets appear when their scripts have run.
  new MutationObserver(nameControls).observe(document.body, { childList: true, subtree: true });
});
