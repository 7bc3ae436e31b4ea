"""The site: all is reachable from its entrance, nothing dangles, the same artifacts give the same bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from seedscope.files.errors import SeedscopeError
from seedscope.files.paths import Artifacts, SweepArtifacts
from seedscope.files.writing import write_json, write_text
from seedscope.report import write_site
from seedscope.report.collection import FACTS, collect, read_shelf
from seedscope.report.pages import (
    common_start,
    gallery,
    headlines,
    link_from,
    rows,
    summary_estimate,
)
from seedscope.report.wording import aligned, integers, interval, listed, natural_key, number

VOID = {"meta", "link", "img", "input", "br", "hr"}


@dataclass
class Page(HTMLParser):
    """What a browser would find on a page."""

    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    images: list[dict[str, str]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    text: str = ""
    unbalanced: list[str] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.links += [given[name] for name in ("href", "src") if name in given]
        self.ids += [given["id"]] if "id" in given else []
        if tag in {"h1", "h2", "h3", "h4", "h5", "h6"}:
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.images.append(given)
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open_tags or self.open_tags.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.text = " ".join(f"{self.text} {data}".split())


def parse(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


def crawl(entrance: Path) -> dict[Path, Page | None]:
    """Follow every link from the entrance; return what was found, with the pages parsed."""
    found: dict[Path, Page | None] = {}
    wanted = [entrance]
    while wanted:
        path = wanted.pop()
        if path in found:
            continue
        assert path.is_file(), f"{path} is linked and does not exist"
        found[path] = page = parse(path) if path.suffix == ".html" else None
        for link in page.links if page else []:
            parts = urlsplit(link)
            assert not parts.scheme, f"{link} leaves the disk"
            assert not parts.netloc
            wanted.append((path.parent / unquote(parts.path)).resolve() if parts.path else path)
    return found


def pages_of(site: dict[Path, Page | None]) -> Iterator[tuple[Path, Page]]:
    return ((path, page) for path, page in site.items() if page is not None)


def site_of(at: Artifacts, *others: str) -> dict[Path, Page | None]:
    return crawl(write_site([at.experiment, *others], at.root).resolve())


def bytes_of(site: Path) -> dict[str, bytes]:
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def draw(
    path: Path,
    title: str = "",
    description: str = "",
    size: tuple[int, int] = (12, 8),
    family: str = "",
    mark: str = "",
) -> None:
    from PIL import Image, PngImagePlugin

    path.parent.mkdir(parents=True, exist_ok=True)
    words = PngImagePlugin.PngInfo()
    if title:
        facts = {"title": title, "description": description, "family": family, "mark": mark}
        words.add_itxt(FACTS, json.dumps(facts))
    Image.fromarray(np.full((size[1], size[0], 3), 200, np.uint8)).save(path, pnginfo=words)


@pytest.fixture
def full(miniature: Artifacts) -> Artifacts:
    """The miniature with what a real experiment adds: classes, a film, loose tables, nested and odd names."""
    from PIL import Image

    at = miniature
    for seed in (3, 5):
        for target in (0, 1, 2, 10):
            draw(
                at.figures(seed, "contribution") / f"ranking_class{target}_5samples.png",
                f"Ranking, class {target}",
                "Bars above zero vote for the class.",
                family="Ranking, each class",
                mark=f"class {target}",
            )
        frames = [Image.fromarray(np.full((8, 12), shade, np.uint8)) for shade in (0, 100, 200)]
        frames[0].save(
            at.figures(seed, "mistakes") / "training.gif",
            save_all=True,
            append_images=frames[1:],
            comment=json.dumps({"title": "The training", "description": "A frame is a step."}),
        )
        write_text(at.figures(seed, "mistakes") / "worst pictures #1.csv", "sample\n4\n")
        draw(at.figures(seed, "mistakes") / "by place" / "100% of them?.png")
    draw(at.figures(3, "mistakes") / "only_seed_3.png", "Only here")
    write_text(at.across_seeds / "matching.csv", "seed,unit\n3,1\n")
    return at


def test_every_figure_and_table_is_reachable_from_the_entrance_and_no_link_dangles(full: Artifacts) -> None:
    site = site_of(full)
    reports = (full.root / "reports").resolve()
    files = {p for folder in ("figures", "metrics") for p in (reports / folder).rglob("*") if p.is_file()}
    assert len(files) > 20
    assert files <= set(site)
    assert {p for p in (reports / "site").rglob("*") if p.is_file()} <= set(site)


def test_every_link_into_a_page_names_a_place_that_exists(full: Artifacts) -> None:
    site = site_of(full)
    anchored = 0
    for path, page in pages_of(site):
        for link in filter(None, page.links):
            parts = urlsplit(link)
            target = site[(path.parent / unquote(parts.path)).resolve() if parts.path else path]
            if parts.fragment:
                anchored += 1
                assert target is not None
                assert parts.fragment in target.ids, link
    assert anchored > 20


def test_the_same_artifacts_give_the_same_bytes_wherever_they_lie(full: Artifacts, tmp_path: Path) -> None:
    first = bytes_of(write_site(["toy"], full.root).parent)
    assert bytes_of(write_site(["toy"], full.root).parent) == first
    elsewhere = tmp_path / "else where"
    for folder in ("runs", "reports/figures", "reports/metrics"):
        shutil.copytree(full.root / folder, elsewhere / folder)
    assert bytes_of(write_site(["toy"], elsewhere).parent) == first
    assert not any(str(tmp_path).encode() in content for content in first.values())


def test_pages_are_well_formed_and_say_what_their_pictures_show(full: Artifacts) -> None:
    shown = 0
    for path, page in pages_of(site_of(full, "absent")):
        assert not page.unbalanced, path
        assert not page.open_tags, path
        assert len(set(page.ids)) == len(page.ids), path
        assert page.headings[0] == 1
        assert page.headings.count(1) == 1
        steps = [after - before for before, after in zip(page.headings, page.headings[1:], strict=False)]
        assert all(step <= 1 for step in steps), path
        for image in page.images:
            shown += 1
            assert image["alt"]
            assert image["loading"] == "lazy"
            assert (image["width"], image["height"]) == ("12", "8")
    assert shown > 20


def test_a_figure_carries_its_own_title_and_description(full: Artifacts) -> None:
    page = parse(write_site(["toy"], full.root).parent / "toy" / "index.html")
    assert [image["alt"] for image in page.images] == ["Dominance by seed"]
    assert "What dominance_heatmap shows." in page.text


def test_a_figure_without_words_is_called_by_its_file_name(full: Artifacts) -> None:
    shelf = collect("toy", full.root).shelf(3, "mistakes")
    assert next(f.title for f in shelf.figures if "100%" in f.name) == "by place/100% of them?"


def test_a_film_carries_its_words_in_its_comment(full: Artifacts) -> None:
    film = next(f for f in collect("toy", full.root).shelf(5, "mistakes").figures if f.name == "training.gif")
    assert (film.title, film.description) == ("The training", "A frame is a step.")


def test_pictures_are_opened_for_their_headers_only(miniature: Artifacts) -> None:
    path = miniature.across_seeds / "dominance_heatmap.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"IDAT") + 8])
    assert collect("toy", miniature.root).across.figures[0].title == "Dominance by seed"


def test_a_file_that_is_no_picture_is_refused_by_name(miniature: Artifacts) -> None:
    (miniature.across_seeds / "torn.png").write_bytes(b"not a picture")
    with pytest.raises(SeedscopeError, match=r"torn\.png cannot be read as a picture"):
        write_site(["toy"], miniature.root)


def test_a_table_stands_beside_the_figure_of_its_name(miniature: Artifacts) -> None:
    shelf = collect("toy", miniature.root).shelf(3, "mistakes")
    assert [table.name for table in shelf.figures[0].tables] == ["mistakes_votes.csv"]
    assert shelf.tables == ()


def test_a_lens_page_has_one_row_per_figure_with_that_figure_of_every_seed(full: Artifacts) -> None:
    of = collect("toy", full.root)
    hung = [row for group in rows(of, "contribution") for row in group.hung]
    assert len(hung) == 5
    for row in hung:
        assert [seed for seed, _ in row.pictures] == [3, 5]
        names = {picture.figure.name for _, picture in row.pictures if picture}
        assert len(names) == 1
    page = parse(write_site(["toy"], full.root).parent / "toy" / "lens-contribution.html")
    order = [unquote(image["src"]).split("/seeds/")[1] for image in page.images]
    assert order[2:6] == [
        f"{seed}/contribution/ranking_class{target}_5samples.png" for target in (0, 1) for seed in (3, 5)
    ]


def test_a_seed_without_a_figure_that_others_have_keeps_its_place_in_the_row(full: Artifacts) -> None:
    hung = [row for group in rows(collect("toy", full.root), "mistakes") for row in group.hung]
    (row,) = [row for row in hung if row.title == "Only here"]
    assert [picture is None for _, picture in row.pictures] == [False, True]
    assert "not drawn" in parse(write_site(["toy"], full.root).parent / "toy" / "lens-mistakes.html").text


def test_words_that_all_seeds_share_are_said_once(full: Artifacts) -> None:
    (_, ranking) = rows(collect("toy", full.root), "contribution")
    assert ranking.words == "Ranking, each class"
    assert ranking.description == "Bars above zero vote for the class."
    assert [row.title for row in ranking.hung][:2] == ["Ranking, class 0", "Ranking, class 1"]
    assert not any(picture.title for row in ranking.hung for _, picture in row.pictures if picture)


def test_words_that_differ_between_seeds_stand_under_each(miniature: Artifacts) -> None:
    for seed in (3, 5):
        draw(
            miniature.figures(seed, "mistakes") / "mistakes_votes.png",
            "Votes",
            f"{seed * 7} errors.",
        )
    ((row,),) = (group.hung for group in rows(collect("toy", miniature.root), "mistakes"))
    assert (row.title, row.description) == ("Votes", "")
    assert [picture.description for _, picture in row.pictures if picture] == ["21 errors.", "35 errors."]


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        (["Votes of class 0", "Votes of class 0"], "Votes of class 0"),
        (["Confusion: 50 wrong", "Confusion: 7 wrong"], "Confusion"),
        (["Outputs by class (41 of 64 dead)", "Outputs by class (42 of 64 dead)"], "Outputs by class"),
        (["Who is active? 41 never", "Who is active? 42 never"], "Who is active?"),
        (["Who is active?", "Who is active? 42 never"], "Who is active?"),
        (["Votes (a; b 1)", "Votes (a; b 2)"], "Votes"),
        (["Unit 1", "Unit 10"], ""),
        (["One", "Two"], ""),
    ],
)
def test_a_row_is_called_by_the_clauses_with_which_all_its_titles_begin(titles: list[str], expected: str) -> None:
    assert common_start(titles) == expected
    assert common_start(titles[::-1]) == expected


def test_a_long_description_says_under_each_seed_only_where_it_differs(miniature: Artifacts) -> None:
    for seed in (3, 5):
        path = miniature.figures(seed, "mistakes") / "mistakes_votes.png"
        draw(path, "Votes", f"The votes of every unit, largest first, … for class {seed}.")
    ((row,),) = (group.hung for group in rows(collect("toy", miniature.root), "mistakes"))
    assert row.description == "The votes of every unit, largest first …"
    assert [p.description for _, p in row.pictures if p] == ["… for class 3.", "… for class 5."]


def test_what_differs_between_the_titles_of_a_row_stands_under_each_seed(miniature: Artifacts) -> None:
    for seed in (3, 5):
        path = miniature.figures(seed, "mistakes") / "mistakes_votes.png"
        draw(path, f"Outputs; {seed} of 64 dead", size=(30, 10))
    ((row,),) = (group.hung for group in rows(collect("toy", miniature.root), "mistakes"))
    assert row.title == "Outputs"
    assert [picture.title for _, picture in row.pictures if picture] == ["3 of 64 dead", "5 of 64 dead"]
    assert row.broad


def test_figures_of_one_family_hang_together_by_their_marks_after_those_that_stand_alone(tmp_path: Path) -> None:
    for target in (10, 2, 0):
        draw(tmp_path / f"x/map_{target}.png", f"Map {target}", family="Votes for each class", mark=f"class {target}")
    draw(tmp_path / "x/zebra.png", "Alone")
    draw(tmp_path / "x/only.png", "The only one of its kind", family="A family of one", mark="class 0")
    alone, votes = gallery(read_shelf(tmp_path / "x", tmp_path).figures, 3)
    assert [picture.figure.name for picture in alone.hung] == ["only.png", "zebra.png"]
    assert votes.words == "Votes for each class"
    assert [picture.figure.mark for picture in votes.hung] == ["class 0", "class 2", "class 10"]


def test_a_figure_is_read_as_the_renderer_wrote_it(tmp_path: Path) -> None:
    from seedscope.figures import Bars, Facts, Film, Image, Panel, Sheet, centred
    from seedscope.figures.renderer import save

    words = {"title": "Votes; 3 dead", "description": "How $to_read$ it", "family": "Votes", "mark": "class 1"}
    save(Sheet("still", Facts("toy", 3), body=Panel([Bars([0], [1])]), **words), tmp_path / "x", "contribution")
    frames = np.arange(8.0).reshape(2, 2, 2)
    body = Panel([Image(frames[0], centred(frames), filmed=True)])
    save(
        Film("film", Facts("toy", 3), body=body, frames=frames, captions=["a", "b"], **words),
        tmp_path / "x",
        "evolution",
    )
    for figure in read_shelf(tmp_path / "x", tmp_path).figures:
        assert {key: getattr(figure, key) for key in words} == words


def test_only_the_seeds_of_the_configuration_are_shown(full: Artifacts) -> None:
    write_site(["toy"], full.root)
    config = json.loads(full.config.read_text(encoding="utf-8"))
    write_text(full.config, json.dumps({**config, "seeds": [3], "drawn": [3]}))
    site = site_of(full)
    assert not any("seeds/5" in path.as_posix() or "seed-5" in path.name for path in site)
    assert not (full.root / "reports/site/toy/seed-5.html").exists()
    assert (full.root / "reports/site/toy/seed-3.html").exists()


def test_a_seed_that_is_not_drawn_has_its_numbers_and_says_how_it_is_drawn(full: Artifacts) -> None:
    config = json.loads(full.config.read_text(encoding="utf-8"))
    write_text(full.config, json.dumps({**config, "drawn": [3]}))
    site = site_of(full)
    assert not any("seeds/5" in path.as_posix() for path in site)
    page = site[(full.root / "reports/site/toy/seed-5.html").resolve()]
    assert page is not None
    assert "python -m seedscope draw toy --seed 5" in page.text
    assert "Probe accuracy" in page.text or "probe accuracy" in page.text
    experiment, drawn = (parse(full.root / f"reports/site/toy/{name}.html") for name in ("index", "seed-3"))
    assert "Missing" not in experiment.text
    assert "python -m seedscope draw" not in drawn.text


def test_of_hundreds_of_seeds_a_few_stand_beside_each_other_and_all_are_reached(full: Artifacts) -> None:
    config = json.loads(full.config.read_text(encoding="utf-8"))
    seeds = [3, 5, *range(6, 204)]
    write_text(full.config, json.dumps({**config, "seeds": seeds}))
    by_seed = json.loads(full.seeds_metrics.read_text(encoding="utf-8"))
    write_json(full.seeds_metrics, {str(seed): by_seed["3"] for seed in seeds})
    site = site_of(full)
    folder = (full.root / "reports/site/toy").resolve()
    assert {folder / f"seed-{seed}.html" for seed in seeds} <= set(site)
    for name in ("lens-contribution", "seed-77", "seed-3"):
        page = site[folder / f"{name}.html"]
        assert page is not None
        assert len({link.partition("#")[0] for link in page.links if link.startswith("seed-")}) <= 3
        assert "all 200" in page.text
    assert max(path.stat().st_size for path in site if path.suffix == ".html") < 60_000


def test_a_lens_that_left_the_configuration_is_marked(miniature: Artifacts) -> None:
    draw(miniature.figures(3, "forgotten") / "old.png")
    write_site(["toy"], miniature.root)
    site = miniature.root / "reports/site/toy"
    assert "may be left from an earlier run" in parse(site / "lens-forgotten.html").text
    assert "may be left from an earlier run" not in parse(site / "lens-mistakes.html").text


def test_one_seed_has_no_interval_and_nothing_to_compare(miniature: Artifacts) -> None:
    config = json.loads(miniature.config.read_text(encoding="utf-8"))
    write_text(miniature.config, json.dumps({**config, "seeds": [5], "drawn": [5]}))
    alone = {"mean": 0.95, "low": None, "high": None, "n": 1}
    write_json(miniature.across_metrics, {"training": {"probe_accuracy": alone}})
    shutil.rmtree(miniature.across_seeds)
    site = site_of(miniature)
    index = site[(miniature.root / "reports/site/index.html").resolve()]
    page = site[(miniature.root / "reports/site/toy/index.html").resolve()]
    assert index is not None
    assert page is not None
    assert "0.950 (n = 1, no interval)" in index.text
    assert "There is one seed only, 5" in page.text
    assert "Missing" not in page.text + index.text


@pytest.mark.parametrize(
    ("removed", "said"),
    [
        ("runs/configs/toy.json", "Missing for toy: its configuration, and so everything else"),
        ("reports/metrics/toy.seeds.json", "Missing for toy: the metrics by seed;"),
        ("reports/metrics/toy.across_seeds.json", "Missing for toy: the metrics across seeds;"),
        ("reports/metrics/toy.findings.json", "Missing for toy: the findings;"),
        ("reports/figures/toy/across_seeds", "Missing for toy: the figures across seeds;"),
        ("reports/figures/toy/seeds/5", "Missing for toy: the figures of seed 5;"),
        ("reports/figures/toy/seeds/5/mistakes", "Missing for toy: the figures of mistakes for seed 5;"),
        ("reports/figures/toy/seeds", "Missing for toy: the figures of seeds 3, 5;"),
        (
            "reports",
            "Missing for toy: the metrics by seed, the figures of seeds 3, 5, the metrics across seeds, the findings",
        ),
    ],
)
def test_what_is_missing_is_said_for_its_experiment_and_the_rest_is_shown(
    miniature: Artifacts, removed: str, said: str
) -> None:
    entrance = write_site(["toy"], miniature.root)
    assert "Missing" not in parse(entrance).text
    path = miniature.root / removed
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    site = crawl(write_site(["toy"], miniature.root).resolve())
    for name in ("index.html", "toy/index.html"):
        page = site[(miniature.root / "reports/site" / name).resolve()]
        assert page is not None
        assert said in page.text


def test_findings_are_said_first_with_the_numbers_that_they_rest_on(miniature: Artifacts) -> None:
    entrance = write_site(["toy"], miniature.root)
    assert "does not hold Few units decide" in " ".join(parse(entrance).text.split())
    text = " ".join(parse(entrance.parent / "toy/index.html").text.split())
    said = "share of units → all of the interval is above 0.44 0.940 [0.900, 0.980] (n = 2) < 0.44 0.0100 does not hold"
    assert f"Few units decide 0.0200 corrected does not hold {said}" in text
    assert text.index("Few units decide") < text.index("Figures across seeds")
    miniature.findings.write_text('{"few": {"claim": "Few"}}')
    with pytest.raises(SeedscopeError, match=r"toy\.findings\.json does not hold findings"):
        write_site(["toy"], miniature.root)


def test_an_experiment_that_never_ran_does_not_keep_the_others_from_the_site(miniature: Artifacts) -> None:
    page = parse(write_site(["never", "toy"], miniature.root))
    assert "Missing for never: its configuration" in page.text
    assert "0.940 [0.900, 0.980] (n = 2)" in page.text
    assert "Missing for toy" not in page.text


def test_an_undefined_number_is_a_dash(miniature: Artifacts) -> None:
    page = parse(write_site(["toy"], miniature.root).parent / "toy" / "seed-3.html")
    assert "accuracy worst place –" in page.text


def test_names_that_look_like_markup_stay_names(tmp_path: Path) -> None:
    name, lens = 'a&b <i>"x"', "<b onclick='x'> 5%?#"
    at = Artifacts(name, tmp_path)
    config = {
        "experiment": name,
        "seeds": [0, 1],
        "drawn": [0, 1],
        "data": {"_target_": "a.B", "<u>": "</dd><u>"},
        "lenses": {lens: {}},
    }
    write_text(at.config, json.dumps(config))
    for seed in (0, 1):
        draw(at.figures(seed, lens) / "x'\"<u>&amp;.png", f'"><script>alert({seed})</script>', "<img src=x>")
    draw(at.across_seeds / "<u>.png", "<u>bold</u>")
    write_text(at.across_seeds / "summary.csv", 'lens,metric,n,mean,low,high,"<u>"\n<u>,<u>m</u>,2,1,0,2,<u>\n')
    write_json(at.across_metrics, {"<u>": {"<u>": {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 2, "<u>": 0.1}}})
    write_json(at.seeds_metrics, {"0": {lens: {"<u>": 1}}, "1": {lens: {"<u>": 2}}})
    site = site_of(at)
    assert {p.resolve() for p in (tmp_path / "reports").rglob("*") if p.is_file()} <= set(site)
    for path, page in pages_of(site):
        assert not {"u", "i", "b"} & set(page.tags), path
        assert page.tags.count("script") == 1
        assert not page.unbalanced
        assert len(page.images) == sum(image["src"] != "x" for image in page.images)


def test_a_number_that_a_table_leaves_undefined_is_a_dash() -> None:
    line = {"n": "0", "mean": "nan", "low": "", "high": ""}
    assert summary_estimate(line) == "– (n = 0)"
    assert summary_estimate({"n": "2", "mean": "0.5", "low": "0.4", "high": "0.6"}) == "0.500 [0.400, 0.600] (n = 2)"


def test_links_lead_from_any_page_to_any_file() -> None:
    to = link_from("site/toy/index.html")
    assert to("figures/toy/a b.png") == "../../figures/toy/a%20b.png"
    assert to("site/toy/seed-3.html", "x") == "seed-3.html#x"
    assert link_from("site/index.html")("site/a:b/index.html") == "a%3Ab/index.html"


def test_class_2_comes_before_class_10() -> None:
    names = ["class10.png", "class2.png", "Class1.png", "a.png", "class2_b.png", "10.png", "9.png"]
    ordered = ["9.png", "10.png", "a.png", "Class1.png", "class2.png", "class2_b.png", "class10.png"]
    assert sorted(names, key=natural_key) == ordered


def test_the_index_shows_the_accuracy_first_and_then_what_is_compared_with_chance(
    miniature: Artifacts,
) -> None:
    interval_of = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 2}
    metrics = {
        "mistakes": {"n_errors": interval_of},
        "contribution": {
            "share": interval_of,
            "overlap": {**interval_of, "null": 0.25, "null_low": 0.2, "null_high": None},
        },
        "training": {"loss": interval_of, "probe_accuracy": interval_of},
    }
    miniature.across_metrics.write_text(json.dumps(metrics))
    shown = headlines(collect("toy", miniature.root), limit=4)
    assert [(h.lens, h.metric) for h in shown][:2] == [
        ("training", "probe_accuracy"),
        ("contribution", "overlap"),
    ]
    assert shown[1].beside == "null 0.250 [0.200, –]"
    assert len(shown) == 4


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0"),
        (12345, "12345"),
        (12345678, "12345678"),
        (23.0, "23"),
        (0.0, "0"),
        (-0.00000001, "−1.00e−8"),
        (0.98123, "0.981"),
        (-0.98123, "−0.981"),
        (1.0, "1.000"),
        (0.012345, "0.0123"),
        (12.3456, "12.35"),
        (123.456, "123.5"),
        (1234.56, "1235"),
        (12345678.5, "1.23e7"),
    ],
)
def test_a_number_has_three_to_four_significant_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_numbers_that_are_read_against_each_other_have_the_same_decimals() -> None:
    assert aligned([1.0, 0.9984, None, 0.05]) == ("1.000", "0.998", "–", "0.050")
    assert aligned([3, 12, None]) == ("3", "12", "–")
    assert aligned([23.0, 9.0, None]) == ("23", "9", "–")
    assert aligned([1.0, 1.0]) == ("1.000", "1.000")


@pytest.mark.parametrize(
    ("mean", "low", "high", "n", "text"),
    [
        (0.98123, 0.97611, 0.98598, 5, "0.981 [0.976, 0.986] (n = 5)"),
        (0.98123, 0.98103, 0.98143, 5, "0.9812 [0.9810, 0.9814] (n = 5)"),
        (47.2, 35.9, 58.5, 5, "47.20 [35.90, 58.50] (n = 5)"),
        (-0.01, -0.05, 0.03, 3, "−0.0100 [−0.0500, 0.0300] (n = 3)"),
        (1.0, 1.0, 1.0, 5, "1.000 [1.000, 1.000] (n = 5)"),
        (0.95, None, None, 1, "0.950 (n = 1, no interval)"),
        (None, None, None, 0, "– (n = 0)"),
    ],
)
def test_an_interval_shows_its_bounds_and_n(
    mean: float | None, low: float | None, high: float | None, n: int, text: str
) -> None:
    assert interval(mean, low, high, n) == text


def test_what_is_the_same_in_every_seed_says_so_and_has_no_interval() -> None:
    assert interval(13.17366, None, None, 5, same=True) == "13.17 (n = 5, the same in every seed)"
    columns = {"mean": "13.17366", "low": "", "high": "", "n": "5", "same": "True"}
    assert summary_estimate(columns) == "13.17 (n = 5, the same in every seed)"
    assert summary_estimate({**columns, "low": "13", "high": "14", "same": ""}) == "13.17 [13.00, 14.00] (n = 5)"


def test_runs_of_numbers_are_shortened() -> None:
    assert integers([4, 0, 1, 2, 7, 8]) == "0–2, 4, 7, 8"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a"]) == "a"


def test_the_stage_reads_the_experiments_that_were_composed(
    miniature: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.report import report

    monkeypatch.chdir(miniature.root)
    write_json(Path("runs/configs/project.json"), {"experiments": ["toy", "never"], "sweeps": []})
    report()
    assert "Missing for never" in parse(Path("reports/site/index.html")).text


# --- sweeps ---------------------------------------------------------------------------------------------------


SWEEP = "toy-noise"


@pytest.fixture
def swept(miniature: Artifacts) -> Artifacts:
    """The miniature with a sweep over two conditions."""
    at = SweepArtifacts(SWEEP, miniature.root)
    variants = [{"name": str(value), "value": value, "settings": {}} for value in (0.1, 0.2)]
    content = {"experiment": "toy", "key": "data.noise", "base": 0.1, "seeds": [3, 5], "engine": {}}
    write_text(at.config, json.dumps({**content, "variants": variants}))
    draw(at.figures / "conditions.png", "Sweep over data.noise", "Dots are seeds.")
    write_text(at.figures / "conditions.csv", "metric,condition,seed,value\naccuracy,0.1,3,0.9\n")
    write_text(at.figures / "trends.csv", 'metric,sentence\naccuracy,"Accuracy: down by 0.1, and so on."\n')
    write_text(
        at.figures / "summary.csv",
        "metric,condition,n,mean,low,high,null\naccuracy,0.1,2,0.9,0.8,1,\noverlap,0.1,2,1.5,1.25,1.75,0.4\n",
    )
    write_json(at.metrics, {"data.noise: 0.1": {"accuracy": {"mean": 0.9, "low": 0.8, "high": 1.0, "n": 2}}})
    return miniature


def test_a_sweep_has_a_page_that_its_experiment_and_the_entrance_lead_to(swept: Artifacts) -> None:
    entrance = write_site(["toy"], swept.root, [SWEEP]).resolve()
    site = crawl(entrance)
    path = entrance.parent / "sweeps" / f"{SWEEP}.html"
    page = site[path]
    assert page is not None
    assert "Accuracy: down by 0.1, and so on." in page.text
    assert "0.900 [0.800, 1.000] (n = 2)" in page.text
    assert "1.500 [1.250, 1.750] (n = 2) 0.400" in page.text
    assert "Sweep over data.noise" in page.text
    assert not page.unbalanced
    assert {link.rpartition("/")[2] for link in page.links} >= {"conditions.csv", "summary.csv", "toy-noise.sweep.json"}
    for other in ("index.html", "toy/index.html"):
        above = site[entrance.parent / other]
        assert above is not None
        assert any(link.endswith(f"sweeps/{SWEEP}.html") for link in above.links)


def test_a_crossing_says_which_streams_it_crossed_and_what_it_found(swept: Artifacts) -> None:
    at = SweepArtifacts(SWEEP, swept.root)
    variants = [{"name": "cells", "value": {"weights": 3, "order": 2}, "settings": {}}]
    about = {"experiment": "toy", "key": "streams", "base": None, "seeds": [*range(6)], "engine": {}}
    write_text(at.config, json.dumps({**about, "variants": variants}))
    entrance = write_site(["toy"], swept.root, [SWEEP]).resolve()
    site = crawl(entrance)
    page, above = site[entrance.parent / "sweeps" / f"{SWEEP}.html"], site[entrance]
    assert page is not None
    assert above is not None
    assert "random streams crossed" in page.text
    assert "every combination of levels of its random streams: 3 weights × 2 order." in page.text
    assert "What it says" in page.text
    assert "0.900 [0.800, 1.000] (n = 2)" in page.text
    assert "toy with 3 weights × 2 order crossed" in above.text
    assert not page.unbalanced


def test_a_sweep_that_has_not_run_is_listed_with_what_is_missing(swept: Artifacts) -> None:
    shutil.rmtree(SweepArtifacts(SWEEP, swept.root).figures)
    entrance = write_site(["toy"], swept.root, [SWEEP, "toy-other"]).resolve()
    page = crawl(entrance)[entrance]
    assert page is not None
    for name in (SWEEP, "toy-other"):
        assert f"Missing for the sweep {name}: its comparison; dvc repro runs it." in page.text


def test_the_page_of_a_sweep_that_is_not_asked_for_any_more_is_gone(swept: Artifacts) -> None:
    entrance = write_site(["toy"], swept.root, [SWEEP])
    write_site(["toy"], swept.root)
    assert not (entrance.parent / "sweeps" / f"{SWEEP}.html").exists()
