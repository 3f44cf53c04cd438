"""Names, numbers and messages of other libraries as people read them."""


def duration(seconds: float) -> str:
    """Return a time as `10 days`, `1 h 05 min`, `5 min 20 s` or `20 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{round(hours / 24)} days"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def counted(count: int, noun: str) -> str:
    """Return a number of things as `1 picture` or `1,067 pictures`."""
    return f"{count:,} {noun}" + "s" * (count != 1)


def printable(name: object) -> str:
    """Return a file name as one harmless line: control characters and undecodable bytes are shown escaped."""
    text = str(name)
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error as one harmless line; its type's name if it says nothing."""
    lines = str(error).strip().splitlines()
    return printable(lines[0]) if lines else type(error).__name__
