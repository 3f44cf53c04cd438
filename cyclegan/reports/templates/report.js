"use strict";
const time = document.getElementById("time");
if (time) {
  const play = document.getElementById("play");
  const steps = time.dataset.steps.split(" ").map(Number);
  const pictures = document.querySelectorAll("img[data-frame]");
  const last = Number(document.querySelector("[data-last]")?.dataset.last);
  const show = () => {
    const step = steps[time.value];
    const words = "step " + step.toLocaleString("en");
    for (const picture of pictures) picture.hidden = picture.dataset.frame !== time.value;
    for (const line of document.querySelectorAll(".now")) line.style.left = 100 * Math.min(step / last, 1) + "%";
    document.getElementById("step").textContent = words;
    time.setAttribute("aria-valuetext", words);
  };
  let playing = null;
  const pause = () => {
    clearInterval(playing);
    playing = null;
    play.textContent = "Play";
  };
  const advance = () => {
    time.stepUp();
    show();
    if (time.value === time.max) pause();
  };
  play.addEventListener("click", () => {
    if (playing) return pause();
    if (time.value === time.max) time.value = 0;
    show();
    play.textContent = "Pause";
    playing = setInterval(advance, 350);
  });
  time.addEventListener("input", () => {
    pause();
    show();
  });
  time.parentElement.hidden = false;
  document.body.classList.add("moving");
  show();
}
