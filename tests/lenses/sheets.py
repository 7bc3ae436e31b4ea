"""What stands on a sheet, as data."""

from seedscope.figures import Words, panels_of


def marks(part, kind):
    """Return the marks of one kind in a sheet, in a part of its body or in a panel, in order."""
    return [mark for panel in panels_of(getattr(part, "body", part)) for mark in panel.marks if isinstance(mark, kind)]


def panel_of(sheet, title):
    """Return the only panel whose title begins so."""
    (panel,) = [panel for panel in panels_of(sheet.body) if panel.title.startswith(title)]
    return panel


def words(sheet):
    """Return all words of a sheet: title, note, description, and those of its panels."""
    said = [sheet.heading, sheet.note, sheet.description]
    for panel in panels_of(sheet.body):
        said += [panel.title, panel.empty, panel.x.label, panel.y.label, *(panel.x.names or ()), *(panel.y.names or ())]
        said += [mark.text if isinstance(mark, Words) else getattr(mark, "label", "") for mark in panel.marks]
    said += [getattr(sheet.body, label, "") for label in ("x_label", "y_label")]
    return " ".join(one for one in said if one)
