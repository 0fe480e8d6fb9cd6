/**
 * One press of the screen's one button, by finger, mouse, key or a screen reader, tells `act` once: on release.
 *
 * A click would not do: the browser gives none for a finger that rests a second too long, and many for a key that is
 * held. Enter and Space press the button that is shown, wherever the focus is: a big push button wired as a keyboard
 * knows of no focus.
 */

/**
 * @param {() => HTMLElement|null} shown the button that is shown now
 * @param {HTMLElement[]} buttons
 * @param {(button: HTMLElement) => void} act
 */
export function onPress(shown, buttons, act) {
  /** @type {HTMLElement|null} pressed and not yet released, as the next */
  let keyed = null;
  /** @type {{button: HTMLElement, pointer: number}|null} */
  let touched = null;

  /** @param {KeyboardEvent} event */
  const isKey = (event) =>
    (event.key === "Enter" || event.key === " ") && !event.ctrlKey && !event.altKey && !event.metaKey;

  addEventListener("keydown", (event) => {
    if (!isKey(event)) return;
    event.preventDefault();
    if (!event.repeat) keyed = shown();
  });
  addEventListener("keyup", (event) => {
    if (!isKey(event)) return;
    event.preventDefault();
    const button = keyed;
    keyed = null;
    if (button && button === shown()) act(button);
  });
  addEventListener("blur", () => {
    keyed = null;
    touched = null;
  });

  for (const button of buttons) {
    button.addEventListener("pointerdown", (event) => {
      if (event.isPrimary && event.button === 0) touched = { button, pointer: event.pointerId };
    });
    button.addEventListener("click", (event) => {
      if (event.detail === 0 && button === shown()) act(button); // a screen reader's
    });
  }
  addEventListener("pointerup", (event) => {
    const button = touched?.pointer === event.pointerId ? touched.button : null;
    touched = null;
    if (button && button === shown() && within(button, event)) act(button);
  });
  addEventListener("pointercancel", () => {
    touched = null;
  });
}

/** @param {HTMLElement} button @param {PointerEvent} event a finger's events stay with the button it has left */
function within(button, { clientX, clientY }) {
  const { left, right, top, bottom } = button.getBoundingClientRect();
  return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}
