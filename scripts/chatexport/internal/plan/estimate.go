package plan

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pending"
	"chatexport/scripts/chatexport/internal/target"
)

// What the function does, in numbers. They are measured in the tests of this package.
const (
	callsPerRun    = 2   // group information, and the page of the settling check
	callsPerBatch  = 1   // the newest page
	cosPerBatch    = 6   // state, lease, genesis, chunk below the frontier, hop, state
	cosPerRun      = 2   // where the manifests end, and the new one
	gzipShare      = 0.2 // of text messages; JSON of the service compresses to a sixth to a quarter
	defaultMessage = 400 // bytes of JSON where no page tells
	overheadShare  = 0.2 // of a batch's time that it keeps for its end
	riskMargin     = 24 * time.Hour
)

// figures are what an export takes.
type figures struct {
	Messages    int64   `json:"messages"` // seqs that are pending and still stored
	Calls       int64   `json:"calls"`
	Minutes     float64 `json:"minutes"`
	GBSeconds   float64 `json:"gb_seconds"`
	Batches     int64   `json:"batches"`
	Chunks      int64   `json:"chunks"`
	COSRequests int64   `json:"cos_requests"`
	Bytes       int64   `json:"bytes"`
	Links       int64   `json:"links"` // files to be fetched, those that wait already included
	FileBytes   int64   `json:"file_bytes"`
	LookCalls   int64   `json:"look_calls"` // to look at them once more, and at what is archived and was not looked at
	AtRisk      bool    `json:"at_risk"`
}

type stream struct {
	Stream  chat.Stream `json:"-"`
	GroupID string      `json:"group_id"`
	TopicID string      `json:"topic_id,omitempty"`
	From    chat.Seq    `json:"from"`
	To      chat.Seq    `json:"to"`

	figures

	OldestAt  time.Time `json:"oldest_at,omitzero"`  // of the oldest pending message
	ExpiresAt time.Time `json:"expires_at,omitzero"` // of the same, by CHAT_RETENTION_DAYS
	Error     string    `json:"error,omitempty"`     // why it cannot be archived

	FilesExpireAt time.Time `json:"files_expire_at,omitzero"` // of archived messages whose files wait, the oldest
}

type result struct {
	At       time.Time `json:"at"`
	QPS      int       `json:"qps"`
	MemoryMB int       `json:"memory_mb"`
	Streams  []stream  `json:"streams"`
	Total    figures   `json:"total"`
}

func (r *result) refused() int {
	n := 0
	for i := range r.Streams {
		if r.Streams[i].Error != "" {
			n++
		}
	}
	return n
}

// planner plans one stream after the other.
type planner struct {
	store     catalog.Store
	chat      *pending.Paced
	qps       int
	memory    int
	timeLimit time.Duration
	span      int64
	chunk     int64
	retention time.Duration
	media     bool // files are fetched
	looks     bool // what is archived is looked at again
	now       time.Time
}

func newPlanner(t *target.Target, o options, paced *pending.Paced) *planner {
	qps := o.qps
	if qps == 0 {
		qps = t.Config.ChatQPS
	}
	return &planner{
		store: t.Store, chat: paced, qps: qps, memory: o.memory, timeLimit: o.timeLimit, span: t.Config.ExportSpan,
		chunk: t.Config.ExportChunkBytes, retention: t.Config.Retention(), media: t.Config.ExportMedia, looks: t.Config.ExportLook > 0,
		now: o.now().UTC().Truncate(time.Second),
	}
}

func (p *planner) all(ctx context.Context, infos []chat.Facts, console *cli.Console) (result, error) {
	r := result{At: p.now, QPS: p.qps, MemoryMB: p.memory, Streams: []stream{}}
	var done atomic.Int64
	stop := console.Follow("planning", "streams", int64(len(infos)), done.Load)
	defer stop()
	for _, info := range infos {
		s, err := p.one(ctx, info)
		if err != nil {
			return r, fmt.Errorf("%s: %w", info.Stream, err)
		}
		r.Streams = append(r.Streams, s)
		r.Total.add(s.figures)
		done.Add(1)
	}
	// Streams that come one after the other wait for the same quota; what is last may be too late.
	ready := p.now.Add(time.Duration(r.Total.Minutes * float64(time.Minute)))
	for i := range r.Streams {
		s := &r.Streams[i]
		for _, at := range []time.Time{s.ExpiresAt, s.FilesExpireAt} {
			if !at.IsZero() && at.Before(ready.Add(riskMargin)) {
				s.AtRisk, r.Total.AtRisk = true, true
			}
		}
	}
	return r, nil
}

func (f *figures) add(other figures) {
	f.Messages += other.Messages
	f.Calls += other.Calls
	f.Minutes += other.Minutes
	f.GBSeconds += other.GBSeconds
	f.Batches += other.Batches
	f.Chunks += other.Chunks
	f.COSRequests += other.COSRequests
	f.Bytes += other.Bytes
	f.Links += other.Links
	f.FileBytes += other.FileBytes
	f.LookCalls += other.LookCalls
}

func (p *planner) one(ctx context.Context, info chat.Facts) (stream, error) {
	s := stream{Stream: info.Stream, GroupID: info.Stream.GroupID, TopicID: info.Stream.TopicID}
	if info.Err != nil {
		s.Error = info.Err.Error()
		return s, nil //nolint:nilerr // one stream's trouble, told in its line
	}
	from, state, err := frontier(ctx, p.store, info.Stream)
	var found sample
	if err == nil && p.media {
		err = found.files.known(ctx, p.store, info.Stream, state)
	}
	if err != nil {
		return s, err
	}
	if !found.files.oldest.IsZero() {
		s.FilesExpireAt = found.files.oldest.Add(p.retention)
	}
	unlooked := int64(0)
	if state != nil && state.Look != nil {
		unlooked = max(int64(from-state.Look.Frontier), 0)
	}
	s.From, s.To = max(from, 1), info.NextSeq-1
	if info.NextSeq == 0 { // the service does not tell
		page, err := p.chat.Page(ctx, chat.Query{Stream: info.Stream, Number: chat.PageSize})
		if err != nil {
			s.Error = err.Error()
			return s, nil //nolint:nilerr // one stream's trouble, told in its line
		}
		s.To = page.Newest()
	}
	if s.To < s.From {
		s.figures = p.estimate(0, 0, &found.files)
		s.LookCalls = p.lookCalls(unlooked)
		return s, nil
	}
	if err := p.look(ctx, &s, &found); err != nil {
		s.Error = err.Error()
		return s, nil //nolint:nilerr // the same
	}
	if found.oldest > 0 {
		s.OldestAt = time.Unix(found.oldest, 0).UTC()
		s.ExpiresAt = s.OldestAt.Add(p.retention)
	}
	s.figures = p.estimate(int64(s.To-s.From+1), found.size(), &found.files)
	s.LookCalls = p.lookCalls(s.Messages + unlooked)
	return s, nil
}

// sample is what a few pages told.
type sample struct {
	messages, bytes int64
	oldest          int64 // time of the oldest message that is pending and still stored
	files           files
}

func (s *sample) size() float64 {
	if s.messages == 0 {
		return defaultMessage
	}
	return float64(s.bytes) / float64(s.messages)
}

// look reads the newest page and the oldest that is still stored, and moves From there: the function finds that place
// itself, and pulls nothing below it.
func (p *planner) look(ctx context.Context, s *stream, found *sample) error {
	newest, err := p.retained(ctx, s.Stream, s.To, found)
	first := s.From + chat.PageSize - 1
	if err != nil || newest == 0 || first >= s.To {
		return err
	}
	stored, err := p.retained(ctx, s.Stream, first, found)
	if err != nil || stored != 0 {
		return err
	}
	low, high := first+1, s.To // what is below low has expired; the page that ends at high has not
	for high-low >= chat.PageSize {
		mid := low + (high-low)/2
		stored, err := p.retained(ctx, s.Stream, mid, found)
		switch {
		case err != nil:
			return err
		case stored != 0:
			high = min(mid, stored)
		default:
			low = mid + 1
		}
	}
	s.From = low
	return nil
}

// retained reads the page that ends at seq and returns the smallest seq of it that is still stored, 0 if none is.
func (p *planner) retained(ctx context.Context, s chat.Stream, seq chat.Seq, found *sample) (chat.Seq, error) {
	page, err := p.chat.Page(ctx, chat.Query{Stream: s, Seq: seq, Number: chat.PageSize})
	if err != nil {
		return 0, err
	}
	var lowest chat.Seq
	for i := range page.Elements {
		e := &page.Elements[i]
		if !e.Retained() || e.Seq > seq {
			continue
		}
		found.messages++
		if p.media {
			found.files.sample(e)
		}
		found.bytes += int64(len(e.JSON)) + int64(len(s.GroupID)+len(s.TopicID)) + 16
		if lowest == 0 || e.Seq < lowest {
			lowest = e.Seq
		}
		if e.Time > 0 && (found.oldest == 0 || e.Time < found.oldest) {
			found.oldest = e.Time
		}
	}
	return lowest, nil
}

// estimate computes what so many messages of such a size take.
func (p *planner) estimate(messages int64, size float64, files *files) figures {
	f := figures{Messages: messages, Batches: 1}
	pages := ceil(messages, chat.PageSize)
	f.Bytes = int64(float64(messages) * size * gzipShare)
	seconds := float64(pages+callsPerRun) / float64(p.qps)
	usable := p.timeLimit.Seconds() * (1 - overheadShare)
	f.Batches = max(1, int64(seconds/usable+0.999))
	f.Calls = pages + callsPerRun + callsPerBatch*f.Batches
	f.Minutes = float64(f.Calls) / float64(p.qps) / 60
	f.GBSeconds = f.Minutes * 60 * float64(p.memory) / 1024
	if messages > 0 {
		f.Chunks = max(ceil(messages, p.span), ceil(f.Bytes, p.chunk), f.Batches)
	}
	f.COSRequests = f.Chunks + ceil(f.Chunks, archive.MaxManifestChunks) + cosPerRun + cosPerBatch*f.Batches
	files.estimate(&f)
	return f
}

// lookCalls returns how many calls it takes to look at so many messages once more.
func (p *planner) lookCalls(messages int64) int64 {
	if !p.looks {
		return 0
	}
	return ceil(messages, chat.PageSize)
}

func ceil(n, d int64) int64 { return (n + d - 1) / d }
