// Counts the time down, asks how the payment stands, and loads the page anew once that is not what it shows: the page
// then says what there is to see, or leads on. Where no script runs, the page loads itself anew.
"use strict";

(() => {
  const main = document.querySelector("main[data-state]");
  if (!main) {
    return;
  }
  const clock = main.querySelector("[data-clock]");
  const shown = `${main.dataset.stage} ${main.dataset.step}`;
  const begun = performance.now();
  let end = begun + Number(main.dataset.left) * 1000;
  let next;

  function count() {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    const two = (number) => String(number).padStart(2, "0");
    if (clock) {
      clock.textContent = `${two(Math.floor(left / 60))}:${two(left % 60)}`;
    }
    // Nobody shall begin to pay what is just ending.
    main.classList.toggle("over", left === 0);
  }

  function pause() {
    if (document.hidden) {
      return 15000;
    }
    return performance.now() - begun < 120000 ? 2000 : 5000;
  }

  async function ask() {
    clearTimeout(next);
    try {
      const answer = await fetch(main.dataset.state, { cache: "no-store", credentials: "omit" });
      if (answer.ok) {
        const now = await answer.json();
        if (`${now.stage} ${now.step}` !== shown) {
          location.reload();
          return;
        }
        end = performance.now() + now.seconds_left * 1000;
      }
    } catch {
      // The line is down; the next question may get through.
    }
    next = setTimeout(ask, pause());
  }

  count();
  setInterval(count, 1000);
  next = setTimeout(ask, pause());
  // Whoever comes back from the wallet wants to know at once.
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  window.addEventListener("pageshow", (event) => event.persisted && ask());
})();
