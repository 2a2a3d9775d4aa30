package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/status"
	"chatexport/scripts/chatexport/internal/target"
)

// columns is the resolution of every strip.
const columns = 160

// drawn is one stream with what its manifests and newest chunks tell.
type drawn struct {
	status.Stream

	chunks   []span
	runs     []listed
	files    catalog.Files
	looks    status.Looks // as far as receipts were read; its frontier is 0 before the first
	lookless bool         // there are no more receipts of looks
	unlisted int64        // bytes of chunks that no manifest lists
	note     string       // why it could not be read to the end
	beside   beside
	pages    string // address of its pages; empty if there are none
	order    order
}

// span is a chunk, reduced to what is drawn.
type span struct {
	lo, hi                    chat.Seq
	archived, expired, absent int64
	malformed                 int64 // of the archived
	tsMin, tsMax              int64
}

// listed is a manifest, reduced to what is drawn.
type listed struct {
	at       time.Time // finished
	took     time.Duration
	messages int64
	bytes    int64
}

// gather reads the manifests of all streams, and keeps what is drawn of the most important ones.
func gather(ctx context.Context, t *target.Target, judged status.Result, most int, console *cli.Console) (*page, error) {
	p := &page{Where: t.Where, Result: judged}
	if t.COS == nil {
		p.dir = t.Where
	}
	var done atomic.Int64
	stop := console.Follow("reading", "streams", int64(len(judged.Streams)), done.Load)
	defer stop()
	all := make([]drawn, 0, len(judged.Streams))
	for _, s := range judged.Streams {
		d := drawn{Stream: s}
		if err := d.read(ctx, t.Store); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Stream, err)
		}
		p.total(&d)
		p.growth = append(p.growth, d.runs...)
		all = append(all, d)
		done.Add(1)
	}
	slices.SortStableFunc(p.growth, func(a, b listed) int { return a.at.Compare(b.at) })
	// Trouble first, as status has it; then the largest.
	slices.SortStableFunc(all, func(a, b drawn) int {
		return cmp.Or(cmp.Compare(a.Rank(), b.Rank()), cmp.Compare(b.Messages, a.Messages))
	})
	p.axis = axisOf(all, p.At)
	for i := range all {
		all[i].fit(p.axis)
	}
	p.Streams = all[:min(most, len(all))]
	rank(p.Streams)
	return p, nil
}

// read follows the manifests, then the chunks that none lists. What is damaged ends it with a note: the page shows what
// there is.
func (d *drawn) read(ctx context.Context, store catalog.Store) error {
	err := d.walk(ctx, store)
	// The state's counters are hints; what was just read is the truth.
	d.Messages, d.Malformed, d.Expired, d.Absent, d.Bytes = 0, 0, 0, 0, d.unlisted
	for _, c := range d.chunks {
		d.Messages += c.archived - c.malformed
		d.Malformed += c.malformed
		d.Expired += c.expired
		d.Absent += c.absent
	}
	for _, r := range d.runs {
		d.Bytes += r.bytes
	}
	if d.Media != nil {
		d.Media.States, d.Media.Bytes = d.files.States, d.files.Bytes
	}
	if d.looks.Last != nil {
		if d.Looks == nil {
			d.Looks = &status.Looks{}
		}
		d.Looks.Frontier, d.Looks.Last, d.Looks.Counts = d.looks.Frontier, d.looks.Last, d.looks.Counts
	}
	return err
}

func (d *drawn) walk(ctx context.Context, store catalog.Store) error {
	genesis, err := catalog.Genesis(ctx, store, d.Stream.Stream)
	if errors.Is(err, catalog.ErrNoArchive) {
		return nil
	}
	if err != nil {
		return d.damaged(err)
	}
	if genesis.FirstLo > 1 {
		d.chunks = append(d.chunks, span{lo: 1, hi: genesis.FirstLo - 1, expired: int64(genesis.FirstLo - 1)})
	}
	next := genesis.FirstLo
	for m, err := range catalog.Manifests(ctx, store, d.Stream.Stream, next) {
		if err != nil {
			return d.damaged(err)
		}
		d.runs = append(d.runs, listed{at: m.FinishedAt, took: m.FinishedAt.Sub(m.StartedAt), messages: m.Totals.Elements(), bytes: m.Totals.Bytes})
		for i := range m.Chunks {
			d.add(&m.Chunks[i])
			if err := d.damaged(d.files.Read(ctx, store, d.Stream.Stream, &m.Chunks[i])); err != nil {
				return err
			}
			if err := d.damaged(d.look(ctx, store, &m.Chunks[i])); err != nil {
				return err
			}
		}
		next = m.Hi + 1
	}
	for c, err := range catalog.Unlisted(ctx, store, d.Stream.Stream, next) {
		if err != nil {
			return d.damaged(err)
		}
		d.add(&c)
		d.unlisted += c.Bytes
	}
	return nil
}

// look adds what looks at a chunk found. The trail ends at the first chunk that none has looked at to its end.
func (d *drawn) look(ctx context.Context, store catalog.Store, c *archive.ChunkEntry) error {
	if d.lookless || c.Hi < d.looks.Frontier || c.Expired == int64(c.Hi-c.Lo+1) {
		return nil
	}
	for r, err := range catalog.Looks(ctx, store, d.Stream.Stream, c) {
		if err != nil {
			d.lookless = true
			return err
		}
		if d.looks.Counts == nil {
			d.looks.Counts = map[string]int64{}
		}
		status.AddCounts(d.looks.Counts, r.ReceiptMeta)
		d.looks.Frontier, d.looks.Last = r.Hi+1, status.ReceiptOf(r.ReceiptMeta)
	}
	d.lookless = d.looks.Frontier <= c.Hi
	return nil
}

func (d *drawn) add(c *archive.ChunkEntry) {
	d.chunks = append(d.chunks, span{
		lo: c.Lo, hi: c.Hi, archived: c.Lines(), malformed: c.Malformed, expired: c.Expired, absent: c.Absent, tsMin: c.TsMin, tsMax: c.TsMax,
	})
}

func (d *drawn) damaged(err error) error {
	if catalog.Damaged(err) {
		d.note = err.Error()
		return nil
	}
	return err
}

// end is the last seq that is known of.
func (d *drawn) end() chat.Seq {
	last := d.Head
	if n := len(d.chunks); n > 0 {
		last = max(last, d.chunks[n-1].hi)
	}
	return last
}

// newest is the time of the newest message on the axis, 0 if there is none.
func (d *drawn) newest() int64 {
	var at int64
	for _, c := range d.chunks {
		at = max(at, c.tsMax)
	}
	return at
}

// column is a share of a strip.
type column struct{ archived, expired, absent, pending float64 }

// bySeq spreads the chunks over columns of equally many seqs. Each column adds up to 1, where there is anything.
func (d *drawn) bySeq() []column {
	end := float64(d.end())
	cols := make([]column, columns)
	if end == 0 {
		return nil
	}
	width := end / columns
	spread := func(lo, hi float64, put func(c *column, share float64)) { // seqs (lo, hi]
		for i := max(0, int(lo/width)); i < columns && float64(i)*width < hi; i++ {
			from, to := max(lo, float64(i)*width), min(hi, float64(i+1)*width)
			if to > from {
				put(&cols[i], (to-from)/width)
			}
		}
	}
	covered := 0.0
	for _, c := range d.chunks {
		n := float64(c.hi - c.lo + 1)
		spread(float64(c.lo-1), float64(c.hi), func(col *column, share float64) {
			col.archived += share * float64(c.archived) / n
			col.expired += share * float64(c.expired) / n
			col.absent += share * float64(c.absent) / n
		})
		covered = max(covered, float64(c.hi))
	}
	if d.note != "" {
		return cols // nobody knows what the rest is
	}
	spread(covered, end, func(col *column, share float64) { col.pending += share })
	return cols
}

// byTime spreads the archived messages over columns of equally long time, relative to the busiest one.
func (d *drawn) byTime(a axis) []float64 {
	cols := make([]float64, columns)
	if d.newest() == 0 {
		return nil
	}
	width := float64(a.to-a.from+1) / columns // the last second is one of them
	for _, c := range d.chunks {
		if c.tsMin == 0 {
			continue
		}
		lo, hi := float64(c.tsMin-a.from), float64(max(c.tsMax, c.tsMin+1)-a.from)
		for i := max(0, int(lo/width)); i < columns && float64(i)*width < hi; i++ {
			part := min(hi, float64(i+1)*width) - max(lo, float64(i)*width)
			cols[i] += float64(c.archived) * max(0, part) / (hi - lo)
		}
	}
	top := slices.Max(cols)
	for i := range cols {
		if top > 0 {
			cols[i] /= top
		}
	}
	return cols
}
