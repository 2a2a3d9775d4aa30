package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// MaxManifestChunks is the most chunks that one manifest lists: it keeps a manifest below 2 MB, most of them far below 1
// MB, so that it can be read and written whole by the smallest function. layout.MaxBytes counts on it.
const MaxManifestChunks = 500

// Manifest is the write-once list of a range's chunks. It alone means that the range is complete. Manifests are a hash
// chain whose first link is the genesis.
type Manifest struct {
	Format       int          `json:"format"`
	SDKAppID     int          `json:"sdkappid"`
	GroupID      string       `json:"group_id"`
	TopicID      string       `json:"topic_id"` // empty for a plain group
	Lo           chat.Seq     `json:"lo"`
	Hi           chat.Seq     `json:"hi"`
	Head         chat.Seq     `json:"head"`   // of the run that wrote it
	Status       string       `json:"status"` // StatusPartial, StatusComplete or StatusGone
	StartedAt    time.Time    `json:"started_at"`
	FinishedAt   time.Time    `json:"finished_at"`
	Run          string       `json:"run"`
	Build        string       `json:"build,omitempty"` // of the program that wrote it, for a person who looks for a defect
	ExpiredBelow ExpiredBelow `json:"expired_below"`
	Totals       Totals       `json:"totals"`
	Chunks       ChunkList    `json:"chunks"`
	Trails       Trails       `json:"trails,omitzero"`
	Previous     Link         `json:"previous"` // the manifest before, or the genesis
}

// Trails are the last receipts that each trail had when a manifest was written. The trails never reach the manifest itself.
type Trails struct {
	Media  *Pin `json:"media,omitempty"`
	Change *Pin `json:"change,omitempty"`
}

// Of returns the last receipt of a trail, to be read or set.
func (t *Trails) Of(trail Trail) **Pin {
	if trail.Name == Media().Name {
		return &t.Media
	}
	return &t.Change
}

func (t Trails) validate(lo chat.Seq) error {
	for _, pin := range []*Pin{t.Media, t.Change} {
		if pin != nil && pin.Lo >= lo {
			return invalid("trails name a receipt at %d, the manifest begins at %d", pin.Lo, lo)
		}
	}
	return errors.Join(t.Media.validate("trails.media"), t.Change.validate("trails.change"))
}

// ChunkList is what a manifest lists.
type ChunkList []ChunkEntry

// UnmarshalJSON implements json.Unmarshaler. It stops at the first entry that is one too many: a few bytes of JSON make an
// entry of hundreds in memory.
func (l *ChunkList) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if start, err := d.Token(); err != nil || start != json.Delim('[') {
		return invalid("chunks is not an array")
	}
	for *l = nil; d.More(); {
		if len(*l) == MaxManifestChunks {
			return invalid("a manifest of more than %d chunks", MaxManifestChunks)
		}
		var entry ChunkEntry
		if err := d.Decode(&entry); err != nil {
			return err
		}
		*l = append(*l, entry)
	}
	return nil
}

// ChunkEntry is a chunk as its manifest lists it.
type ChunkEntry struct {
	ChunkMeta
	Key   string `json:"key"`   // below the archive's prefix
	Bytes int64  `json:"bytes"` // size of the object
	CRC64 string `json:"crc64"` // in decimal, and a string: many readers of JSON would round it as a number
}

// Link names an object and pins its content.
type Link struct {
	Key    string `json:"key"`    // below the archive's prefix
	SHA256 string `json:"sha256"` // of the object, in lower-case hex
}

// Totals are the sums over a list of chunks.
type Totals struct {
	Chunks int `json:"chunks"`
	Counts
	RawBytes int64 `json:"raw_bytes"`
	Bytes    int64 `json:"bytes"`
	TsMin    int64 `json:"ts_min,omitempty"` // 0 if no element has a time
	TsMax    int64 `json:"ts_max,omitempty"`
}

// ChunkEntryOf returns a stored chunk's entry, from its key below the archive's prefix and its size and CRC-64 as the
// store reports them.
func ChunkEntryOf(meta ChunkMeta, key string, size int64, crc uint64) ChunkEntry {
	return ChunkEntry{ChunkMeta: meta, Key: key, Bytes: size, CRC64: strconv.FormatUint(crc, 10)}
}

// Range returns the seqs that the chunk covers, for package chain.
func (e ChunkEntry) Range() (lo, hi chat.Seq) { return e.Lo, e.Hi }

// WrittenBy names the batch that wrote the chunk.
func (e ChunkEntry) WrittenBy() string { return e.Writer }

// Sums returns the object's sums.
func (e ChunkEntry) Sums() (sha256, crc64 string) { return e.SHA256, e.CRC64 }

// totalsOf returns the totals of chunks.
func totalsOf(chunks []ChunkEntry) Totals {
	var t Totals
	for i := range chunks {
		c := &chunks[i]
		t.Chunks++
		t.Counts.Add(c.Counts)
		t.RawBytes += c.RawBytes
		t.Bytes += c.Bytes
		if c.TsMin != 0 {
			t.TsMax = max(t.TsMax, c.TsMax)
			if t.TsMin == 0 || c.TsMin < t.TsMin {
				t.TsMin = c.TsMin
			}
		}
	}
	return t
}

// SetChunks sets Chunks and what follows from them: Lo, Hi and Totals.
func (m *Manifest) SetChunks(chunks []ChunkEntry) {
	m.Chunks = chunks
	m.Totals = totalsOf(chunks)
	m.Lo, m.Hi = 0, 0
	if len(chunks) > 0 {
		m.Lo = chunks[0].Lo
		m.Hi = chunks[len(chunks)-1].Hi
	}
}

// Stream returns the stream whose chunks are listed.
func (m Manifest) Stream() chat.Stream { return chat.Stream{GroupID: m.GroupID, TopicID: m.TopicID} }

// Encode returns the object. Times are stored in UTC, to the millisecond. The error wraps ErrInvalid: a manifest that
// would not be accepted when read back is never written.
func (m Manifest) Encode() ([]byte, error) {
	m.StartedAt = utc(m.StartedAt)
	m.FinishedAt = utc(m.FinishedAt)
	if err := m.validate(); err != nil {
		return nil, err
	}
	return encode(m)
}

// ParseManifest reads a manifest back. It checks everything that can be checked without another object: the chunks are
// contiguous from lo to hi, each sums up, the totals are theirs, the keys are the stream's. Members that format 1 does
// not have are ignored. The error wraps ErrFormat for an object of another format, ErrInvalid for anything else.
func ParseManifest(body []byte) (Manifest, error) { return parse(body, Manifest.validate) }

func (m Manifest) validate() error {
	if err := validateFormat(m.Format); err != nil {
		return err
	}
	if err := validateOwner(m.SDKAppID, m.Stream()); err != nil {
		return err
	}
	if err := validateRange(m.Lo, m.Hi); err != nil {
		return err
	}
	switch {
	case m.Head < 0 || m.Head > chat.MaxSeq:
		return invalid("head is %d", m.Head)
	case m.Status != StatusPartial && m.Status != StatusComplete && m.Status != StatusGone:
		return invalid("status of a manifest is %q", m.Status)
	case m.Status == StatusComplete && m.Hi < m.Head:
		return invalid("complete at %d, below the head %d", m.Hi, m.Head)
	case !isToken(m.Run) || len(m.Build) > maxValue:
		return invalid("run is not a short printable word, or build is long")
	}
	if err := validateTime("started_at", m.StartedAt); err != nil {
		return err
	}
	if err := validateTime("finished_at", m.FinishedAt); err != nil {
		return err
	}
	if err := m.ExpiredBelow.validate(); err != nil {
		return err
	}
	if err := m.validateChunks(); err != nil {
		return err
	}
	if err := m.Trails.validate(m.Lo); err != nil {
		return err
	}
	return m.validatePrevious()
}

func (m Manifest) validateChunks() error {
	if len(m.Chunks) == 0 || len(m.Chunks) > MaxManifestChunks {
		return invalid("a manifest of %d chunks", len(m.Chunks))
	}
	stream := m.Stream()
	next := m.Lo
	for i := range m.Chunks {
		c := &m.Chunks[i]
		if err := c.validate(); err != nil {
			return invalid("chunk %d of the manifest: %v", i, err)
		}
		switch {
		case c.Lo != next:
			return invalid("chunk %d of the manifest begins at %d, not at %d", i, c.Lo, next)
		case c.Key != layout.Chunk(stream, c.Lo):
			return invalid("chunk %d of the manifest has the key %q", i, c.Key)
		case c.Bytes < 1 || c.Bytes > maxTotal:
			return invalid("chunk %d of the manifest has %d bytes", i, c.Bytes)
		}
		if n, err := strconv.ParseUint(c.CRC64, 10, 64); err != nil || strconv.FormatUint(n, 10) != c.CRC64 {
			return invalid("chunk %d of the manifest has no crc64", i)
		}
		next = c.Hi + 1
	}
	if next != m.Hi+1 {
		return invalid("the chunks end at %d, not at %d", next-1, m.Hi)
	}
	if m.Totals != totalsOf(m.Chunks) {
		return invalid("the totals are not the sums over the chunks")
	}
	return nil
}

// validatePrevious demands the stream's genesis, or a manifest of it that begins below this one.
func (m Manifest) validatePrevious() error {
	name, err := layout.Parse(m.Previous.Key)
	if err != nil {
		return invalid("previous: %v", err)
	}
	ok := name.Stream == m.Stream() && (name.Kind == layout.KindGenesis || name.Kind == layout.KindManifest && name.Lo < m.Lo)
	if !ok {
		return invalid("previous is %q", m.Previous.Key)
	}
	if !isSHA256(m.Previous.SHA256) {
		return invalid("previous sha256 is not 64 lower-case hex digits")
	}
	return nil
}
