package report

import (
	"fmt"
	"html/template"
	"strings"

	"chatexport/scripts/chatexport/internal/cli"
)

// The strips are 160 wide and 20 high; CSS stretches them.
const stripHeight = 20.0

// seqStrip draws what became of the seqs: one path for each class, so that a page of many streams stays small.
func seqStrip(cols []column) template.HTML {
	if cols == nil {
		return `<p class="quiet">nothing yet</p>`
	}
	var b strings.Builder
	b.WriteString(`<svg class="strip" viewBox="0 0 160 20" preserveAspectRatio="none" role="img" aria-label="coverage over seq">`)
	for _, class := range []struct {
		name  string
		share func(column) (from, to float64)
	}{
		{"archived", func(c column) (float64, float64) { return 0, c.archived }},
		{"expired", func(c column) (float64, float64) { return c.archived, c.archived + c.expired }},
		{"absent", func(c column) (float64, float64) { return c.archived + c.expired, c.archived + c.expired + c.absent }},
		{"pending", func(c column) (float64, float64) {
			sum := c.archived + c.expired + c.absent
			return sum, sum + c.pending
		}},
	} {
		var path strings.Builder
		for i := 0; i < len(cols); {
			from, to := class.share(cols[i])
			n := 1
			for i+n < len(cols) {
				if f, t := class.share(cols[i+n]); f != from || t != to {
					break
				}
				n++
			}
			if to > from {
				fmt.Fprintf(&path, "M%d %.2fh%dV%.2fh-%dz", i, stripHeight*(1-from), n, stripHeight*(1-to), n)
			}
			i += n
		}
		if path.Len() > 0 {
			fmt.Fprintf(&b, `<path class="%s" d="%s"/>`, class.name, path.String())
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers only
}

// timeStrip draws how many messages each time has.
func timeStrip(cols []float64) template.HTML {
	if cols == nil {
		return `<p class="quiet">no message has a time</p>`
	}
	var path strings.Builder
	for i, share := range cols {
		if share > 0 {
			height := max(1, stripHeight*share)
			fmt.Fprintf(&path, "M%d 20h1V%.2fh-1z", i, stripHeight-height)
		}
	}
	return template.HTML(fmt.Sprintf( //nolint:gosec // numbers only
		`<svg class="strip" viewBox="0 0 160 20" preserveAspectRatio="none" role="img" aria-label="messages over time"><path class="archived" d="%s"/></svg>`,
		path.String()))
}

// runBars draws how fast the last runs were.
func runBars(runs []listed) template.HTML {
	const most = 40
	runs = runs[max(0, len(runs)-most):]
	var fastest float64
	speed := func(r listed) float64 { return float64(r.messages) / max(r.took.Seconds(), 0.001) }
	for _, r := range runs {
		fastest = max(fastest, speed(r))
	}
	if fastest == 0 {
		return `<span class="quiet">–</span>`
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="bars" viewBox="0 0 %d 20" role="img" aria-label="messages a second of each run">`, 4*most)
	for i, r := range runs {
		height := max(1, stripHeight*speed(r)/fastest)
		fmt.Fprintf(&b, `<rect class="run" x="%d" y="%.2f" width="3" height="%.2f"><title>%s: %s in %s, %s a second</title></rect>`,
			4*i, stripHeight-height, height, date(r.at), cli.Plural(r.messages, "message"), cli.Seconds(r.took), rate(speed(r)))
	}
	b.WriteString(`</svg>`)
	last := runs[len(runs)-1]
	fmt.Fprintf(&b, ` <span class="quiet">last %s/s</span>`, rate(speed(last)))
	return template.HTML(b.String()) //nolint:gosec // numbers and dates only
}

// rate writes messages a second: slow runs with a decimal.
func rate(r float64) string {
	const exact = 10
	if r < exact {
		return fmt.Sprintf("%.1f", r)
	}
	return cli.Count(int64(r))
}
