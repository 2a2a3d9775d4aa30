package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"chatexport/scripts/chatexport/internal/cli"
)

// The chart of growth is 720 wide and 180 high; CSS stretches it, and its labels stand beside it, so that they are legible on
// a narrow screen, too.
const (
	chartWidth  = 720.0
	chartHeight = 180.0
)

// Growth draws how many messages the archive held after each run.
func (p *page) Growth() template.HTML {
	if len(p.growth) == 0 {
		return `<p class="quiet">No run has finished yet.</p>`
	}
	first, last := p.growth[0].at, p.growth[len(p.growth)-1].at
	total := int64(0)
	for _, r := range p.growth {
		total += r.messages
	}
	if !last.After(first) || total == 0 {
		return template.HTML(fmt.Sprintf(`<p class="quiet">%s, all since %s.</p>`, cli.Plural(total, "message"), date(first))) //nolint:gosec // numbers and dates only
	}
	step, steps := scale(total)
	top := float64(step) * float64(steps)
	var line strings.Builder
	fmt.Fprintf(&line, "M0 %.0f", chartHeight)
	sum := int64(0)
	for _, r := range p.growth {
		sum += r.messages
		fmt.Fprintf(&line, "H%.1fV%.1f", chartWidth*float64(r.at.Sub(first))/float64(last.Sub(first)), chartHeight*(1-float64(sum)/top))
	}
	fmt.Fprintf(&line, "H%.0f", chartWidth)
	var b strings.Builder
	b.WriteString(`<figure class="chart"><div class="y" aria-hidden="true">`)
	for i := range steps + 1 {
		fmt.Fprintf(&b, `<span>%s</span>`, cli.Count(step*int64(i)))
	}
	fmt.Fprintf(&b, `</div><svg viewBox="0 0 %.0f %.0f" preserveAspectRatio="none" role="img" aria-label="messages in the archive over time: %s at %s, %s at %s">`,
		chartWidth, chartHeight, cli.Count(p.growth[0].messages), date(first), cli.Count(total), date(last))
	for i := range steps + 1 {
		fmt.Fprintf(&b, `<path class="rule" d="M0 %.1fH%.0f"/>`, chartHeight*float64(i)/float64(steps), chartWidth)
	}
	fmt.Fprintf(&b, `<path class="area" d="%sV%.0fH0Z"/><path class="line" d="%s"/></svg>`, line.String(), chartHeight, line.String())
	middle := first.Add(last.Sub(first) / 2).Truncate(time.Second)
	fmt.Fprintf(&b, `<div class="x" aria-hidden="true"><span>%s</span><span class="mid">%s</span><span>%s</span></div>`, date(first), date(middle), date(last))
	fmt.Fprintf(&b, `<figcaption>messages in the archive after each run, %s in the end</figcaption></figure>`, cli.Count(total))
	return template.HTML(b.String()) //nolint:gosec // numbers and dates only
}

// scale divides an axis from 0 to at least total into a few steps of 1, 2 or 5 times a power of ten.
func scale(total int64) (step int64, steps int) {
	const most = 5
	power := math.Pow(10, math.Floor(math.Log10(max(float64(total)/most, 1))))
	for _, factor := range []float64{1, 2, 5, 10} {
		step = int64(factor * power)
		if steps = int(math.Ceil(float64(total) / float64(step))); steps <= most {
			break
		}
	}
	return step, max(steps, 1)
}
