"""What a client calls itself, in two words."""

from __future__ import annotations

from flask_babel import gettext

#: Part of the header -> name; the first that fits, for most name their forebears too.
BROWSERS = {
    "Edg/": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
LONGEST = 40


def agent_words(agent: str) -> str:
    """Firefox on Linux; of a program, its own first word."""
    browser = next((name for part, name in BROWSERS.items() if part in agent), "")
    if not browser:
        return agent.partition(" ")[0][:LONGEST]
    system = next((name for part, name in SYSTEMS.items() if part in agent), "")
    return gettext("%(browser)s on %(system)s", browser=browser, system=system) if system else browser
