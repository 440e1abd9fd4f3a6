"""Style sheet of the report: one column, system fonts, neutral in light and dark."""

__all__ = ["STYLE"]

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1c1f24; --soft: #646b76; --line: #dfe2e7; --page: #fbfbfa; --bad: #d8483e;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #9aa1ac; --line: #343941; --page: #17191d; }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main { max-width: 880px; margin: 0 auto; padding: 56px 24px 96px; }
h1 { font-size: 34px; line-height: 1.15; letter-spacing: -.02em; margin: 0 0 12px; }
h2 {
  font-size: 22px; letter-spacing: -.01em; margin: 56px 0 6px; padding-top: 22px;
  border-top: 1px solid var(--line);
}
h3 { font-size: 16px; margin: 28px 0 4px; }
p { margin: 0 0 14px; max-width: 68ch; }
.lead { font-size: 18px; color: var(--soft); }
.note { color: var(--soft); font-size: 14px; margin-top: 40px; }
svg { display: block; max-width: 760px; height: auto; margin: 6px 0 10px; }
svg text { font-family: inherit !important; }
.figures { display: flex; flex-wrap: wrap; gap: 14px 40px; margin: 26px 0 8px; }
.figures div { min-width: 120px; }
.figures b {
  display: block; font-size: 28px; line-height: 1.2; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums;
}
.figures span { color: var(--soft); font-size: 14px; }
.digits {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(58px, 1fr)); gap: 10px; margin: 14px 0;
}
.digits figure { margin: 0; text-align: center; }
.digits img {
  width: 100%; display: block; image-rendering: pixelated; border: 1px solid var(--line); border-radius: 4px;
}
.digits figcaption { font-size: 14px; font-variant-numeric: tabular-nums; }
.digits .wrong img { border: 2px solid var(--bad); }
.digits .wrong figcaption { color: var(--bad); font-weight: 600; }
.scroll { overflow-x: auto; }
table {
  border-collapse: collapse; width: 100%; margin: 10px 0 18px; font-size: 14px;
  font-variant-numeric: tabular-nums;
}
th, td { padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); text-align: left; }
th { font-weight: 600; color: var(--soft); }
th.n, td.n { text-align: right; }
"""
