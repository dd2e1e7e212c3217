// The drawing of a photograph (drawing.py) as people use it. Gradio calls this once, with `element`, `props`, `watch` and
// `trigger`. The browser finds the mask under the pointer; what a click takes is decided by the server (choice.py).

const DRAG_PX = 6; // a pointer that moves further draws a box
const drawing = () => element.querySelector("svg");

// Gradio takes a quoted name for that of an event, so the names of what is watched are not quoted one by one.
watch("value view".split(" "), () => {
  if (!drawing() || !props.view) return;
  const good = new Set(props.view.good);
  const taken = new Set(props.view.taken);
  for (const path of drawing().querySelectorAll("path")) {
    path.classList.toggle("good", good.has(Number(path.dataset.mask)));
    path.classList.toggle("taken", taken.has(Number(path.dataset.mask)));
  }
  drawBox(props.view.box_yxyx);
});

function drawBox(yxyx) {
  const [top, left, bottom, right] = yxyx ?? [0, 0, 0, 0];
  const box = drawing().querySelector("rect");
  for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) {
    box.setAttribute(name, value);
  }
}

function point(event) {
  const inverse = drawing().getScreenCTM().inverse();
  const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(inverse);
  return { x, y };
}

function boxBetween(a, b) {
  return [Math.min(a.y, b.y), Math.min(a.x, b.x), Math.max(a.y, b.y), Math.max(a.x, b.x)];
}

let pressed = null; // where the pointer went down on the drawing
let clicked = null; // where the last click was: what it took is seen there until the pointer goes elsewhere
const isFar = (a, b) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) > DRAG_PX;

element.addEventListener("pointerdown", (event) => {
  if (event.button === 0 && event.target.closest("svg")) {
    event.preventDefault();
    pressed = event;
  }
});
window.addEventListener("pointermove", (event) => {
  if (clicked && isFar(clicked, event)) {
    clicked = null;
    drawing()?.classList.remove("clicked");
  }
  if (pressed && isFar(pressed, event)) drawBox(boxBetween(point(pressed), point(event)));
});
window.addEventListener("pointerup", (event) => {
  if (!pressed) return;
  if (isFar(pressed, event)) {
    trigger("box", { yxyx: boxBetween(point(pressed), point(event)) });
  } else {
    clicked = event;
    drawing().classList.add("clicked");
    trigger("point", { ...point(event), add: event.shiftKey });
  }
  pressed = null;
});

const KEYS = { ArrowRight: "#next", n: "#next", ArrowLeft: "#previous", p: "#previous", Escape: "#clear" };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, [role=listbox]")) return;
  if (event.key in KEYS) document.querySelector(KEYS[event.key])?.click();
});

// Photographs may be dropped on the drawing as well.
element.addEventListener("dragover", (event) => event.preventDefault());
element.addEventListener("drop", (event) => {
  event.preventDefault();
  const input = document.querySelector("#photographs input[type=file]");
  if (!input) return;
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});
