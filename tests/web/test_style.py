"""The pages' look: enough contrast in both themes, and nothing fetched from another host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import appliance.web

PAGES = Path(appliance.web.__file__).parent / "pages"
FILES = sorted(page for page in PAGES.rglob("*") if page.is_file())
TEXT_TOKENS = ("ink", "muted", "accent", "ok", "warn", "bad")
AA = 4.5
"""WCAG 2.2, success criterion 1.4.3: text of ordinary size."""

Tokens = dict[str, str]


def rules(css: str) -> dict[str, str]:
    """Every rule's declarations by its selector, media queries opened up; the same selector twice is joined."""
    found: dict[str, str] = {}
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)):
        name = " ".join(selector.split())
        found[name] = found.get(name, "") + body
    return found


def declarations(body: str) -> Tokens:
    return {name: value.strip() for name, value in re.findall(r"([\w-]+)\s*:\s*([^;]+);", body)}


def colours(body: str) -> Tokens:
    """The colours among a rule's custom properties, without their dashes."""
    return {name[2:]: value for name, value in declarations(body).items() if re.fullmatch("#[0-9a-f]{6}", value)}


def luminance(colour: str) -> float:
    """WCAG's relative luminance of `#rrggbb`, 0 to 1."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


STYLE = rules((PAGES / "style.css").read_text(encoding="utf-8"))
LIGHT = colours(STYLE[":root"])
DARK = colours(STYLE[':root[data-theme="dark"]'])
THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


def test_contrast_follows_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_the_dark_theme_is_the_same_whether_chosen_by_the_reader_or_the_owner() -> None:
    assert colours(STYLE[':root:not([data-theme="light"])']) == DARK


def test_both_themes_give_every_colour() -> None:
    assert set(LIGHT) == set(DARK) == {*TEXT_TOKENS, "paper", "line"}


@THEMES
@pytest.mark.parametrize("token", TEXT_TOKENS)
def test_text_is_legible_on_paper(theme: Tokens, token: str) -> None:
    assert contrast(theme[token], theme["paper"]) >= AA


@THEMES
@pytest.mark.parametrize("button", [".button.primary", ".button.hangup"])
def test_the_words_on_a_button_are_legible(theme: Tokens, button: str) -> None:
    look = {name: value[len("var(--") : -1] for name, value in declarations(STYLE[button]).items()}
    assert contrast(theme[look["color"]], theme[look["background"]]) >= AA


@pytest.mark.parametrize("state", ["waiting", "listening", "thinking", "speaking", "trouble"])
def test_every_state_has_a_colour_of_its_own(state: str) -> None:
    states = ("waiting", "listening", "thinking", "speaking", "trouble")
    chosen = {name: declarations(STYLE[":root"])[f"--{name}"] for name in states}
    assert chosen[state] in {f"var(--{token})" for token in TEXT_TOKENS}
    assert list(chosen.values()).count(chosen[state]) == 1


@pytest.mark.parametrize("page", FILES, ids=lambda page: page.name)
def test_no_page_refers_to_another_host(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.findall(r"(?:https?|wss?)://\S*|[\"'(=]\s*//\S*", text)


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.html")), ids=lambda page: page.name)
def test_no_page_carries_script_or_style_of_its_own(page: Path) -> None:
    """The content security policy allows neither."""
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
