"""Numbers as people read them."""


def duration(seconds: float) -> str:
    """Return a time as `10 days`, `1 h 05 min`, `5 min 20 s` or `20 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{round(hours / 24)} days"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
