package report

import (
	"cmp"
	"slices"
	"strings"

	"chatexport/internal/archive"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/status"
)

// order is the place of a stream in each of the orders that a reader may choose, from 0.
type order struct{ Trouble, Name, Newest, Messages, Lost int }

// rank gives each stream its places. They come trouble first.
func rank(streams []drawn) {
	by := func(set func(*order, int), compare func(a, b *drawn) int) {
		sorted := make([]*drawn, len(streams))
		for i := range streams {
			sorted[i] = &streams[i]
		}
		slices.SortStableFunc(sorted, compare)
		for i, d := range sorted {
			set(&d.order, i)
		}
	}
	by(func(o *order, i int) { o.Trouble = i }, func(_, _ *drawn) int { return 0 })
	by(func(o *order, i int) { o.Name = i }, func(a, b *drawn) int {
		return strings.Compare(strings.ToLower(cli.StreamName(a.Stream.Stream)), strings.ToLower(cli.StreamName(b.Stream.Stream)))
	})
	by(func(o *order, i int) { o.Newest = i }, func(a, b *drawn) int { return cmp.Compare(b.newest(), a.newest()) })
	by(func(o *order, i int) { o.Messages = i }, func(a, b *drawn) int { return cmp.Compare(b.Messages, a.Messages) })
	by(func(o *order, i int) { o.Lost = i }, func(a, b *drawn) int { return cmp.Compare(b.lost(), a.lost()) })
}

func (d *drawn) lost() int64 { return d.Expired + d.Absent + d.Malformed }

// gone reports whether the group was dissolved: what is archived is all there will be.
func (d *drawn) gone() bool { return d.Status == archive.StatusGone }

// kinds are the classes of a stream's row, by which a reader narrows the table.
func (d *drawn) kinds() string {
	var kinds []string
	add := func(is bool, kind string) {
		if is {
			kinds = append(kinds, kind)
		}
	}
	add(d.gone(), "gone")
	add(d.AtRisk || d.FilesAtRisk() || slices.Contains([]status.Verdict{status.Stuck, status.Failing, status.Late}, d.Verdict), "trouble-any")
	add(d.Pending > 0, "pending-any")
	add(d.lost() > 0, "lost-any")
	return strings.Join(kinds, " ")
}
