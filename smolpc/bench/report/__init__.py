"""A result for people: Markdown, a terminal, a spreadsheet, one HTML page. Pure.

`figures` writes numbers, `grid` arranges them, `words` makes the one sentence; `markdown`,
`tables` and `html` (with `plots`) show them. `merged` joins the results of many PCs (`many` shows
them), `history` puts those of one store in a row of time (`trends` shows them).

There is no PNG: it would need a browser or a plotting library. The HTML page has print styles,
so a browser makes a PDF or a picture of it.
"""
