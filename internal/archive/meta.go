package archive

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"chatexport/internal/chat"
)

// maxValue bounds a free metadata value. All metadata of an object must stay below 2 KB (COS); with this bound a
// chunk's stays below 1.5 KB.
const maxValue = 128

// ChunkMeta is what is known of a chunk besides its lines. It is the object's user metadata and a manifest's entry.
type ChunkMeta struct {
	Format int      `json:"format"`
	Lo     chat.Seq `json:"lo"`
	Hi     chat.Seq `json:"hi"`
	Counts
	TsMin     int64  `json:"ts_min,omitempty"` // oldest MsgTimeStamp in seconds; 0 if no element has one
	TsMax     int64  `json:"ts_max,omitempty"`
	OtherIDs  int64  `json:"other_ids,omitempty"` // lines whose elements had ids of their own that are not the stream's
	RawBytes  int64  `json:"raw_bytes"`           // size of the NDJSON
	RawSHA256 string `json:"raw_sha256"`          // of the NDJSON, in lower-case hex
	SHA256    string `json:"sha256"`              // of the object, in lower-case hex
	Run       string `json:"run"`
	RequestID string `json:"request_id"`
	Writer    string `json:"writer"`             // random, new in every batch: tells one's own write from another's
	Evidence  string `json:"evidence,omitempty"` // EvidenceFinished or EvidenceProbe, of an expired chunk only
}

// Metadata returns the object's user metadata: names in lower case without x-cos-meta-, values in printable ASCII,
// below 2 KB altogether. ts-min, ts-max, other-ids and evidence are left out where there is none.
func (m ChunkMeta) Metadata() map[string]string {
	md := map[string]string{
		"format":       strconv.Itoa(m.Format),
		"lo":           decimal(int64(m.Lo)),
		"hi":           decimal(int64(m.Hi)),
		"messages":     decimal(m.Messages),
		"system":       decimal(m.System),
		"recalled":     decimal(m.Recalled),
		"placeholders": decimal(m.Placeholders),
		"malformed":    decimal(m.Malformed),
		"expired":      decimal(m.Expired),
		"absent":       decimal(m.Absent),
		"repaired":     decimal(m.Repaired),
		"links":        decimal(m.Links),
		"raw-bytes":    decimal(m.RawBytes),
		"raw-sha256":   m.RawSHA256,
		"sha256":       m.SHA256,
		"run":          m.Run,
		"request-id":   m.RequestID,
		"writer":       m.Writer,
	}
	if m.TsMin != 0 {
		md["ts-min"] = decimal(m.TsMin)
		md["ts-max"] = decimal(m.TsMax)
	}
	if m.OtherIDs != 0 {
		md["other-ids"] = decimal(m.OtherIDs)
	}
	if m.Evidence != "" {
		md["evidence"] = m.Evidence
	}
	return md
}

// ParseChunkMeta reads a chunk's user metadata back, names in lower case without x-cos-meta-. Names that format 1 does
// not have are ignored. The error wraps ErrFormat if the object is of another format, and ErrInvalid if anything is
// missing, is not as Metadata writes it, or if the classes do not sum up to hi - lo + 1; if all of it is missing, it
// wraps ErrNoMetadata, too. What a tool that copied the object added of its own does not count.
func ParseChunkMeta(md map[string]string) (ChunkMeta, error) {
	if bare(md) {
		return ChunkMeta{}, fmt.Errorf("%w: %w", ErrInvalid, ErrNoMetadata)
	}
	r := metaReader{md: md}
	m := ChunkMeta{Format: int(r.number("format"))}
	if r.err != nil {
		return ChunkMeta{}, r.err
	}
	if err := validateFormat(m.Format); err != nil {
		return ChunkMeta{}, err
	}
	m.Lo = chat.Seq(r.number("lo"))
	m.Hi = chat.Seq(r.number("hi"))
	m.Counts = Counts{
		Messages:     r.number("messages"),
		System:       r.number("system"),
		Recalled:     r.number("recalled"),
		Placeholders: r.number("placeholders"),
		Malformed:    r.number("malformed"),
		Expired:      r.number("expired"),
		Absent:       r.number("absent"),
		Repaired:     r.number("repaired"),
		Links:        r.number("links"),
	}
	if _, ok := md["ts-min"]; ok {
		m.TsMin = r.number("ts-min")
		m.TsMax = r.number("ts-max")
		if m.TsMin == 0 {
			return ChunkMeta{}, invalid("metadata ts-min is 0")
		}
	} else if _, ok := md["ts-max"]; ok {
		return ChunkMeta{}, invalid("metadata ts-max stands without ts-min")
	}
	if _, ok := md["other-ids"]; ok {
		m.OtherIDs = r.number("other-ids")
		if m.OtherIDs == 0 {
			return ChunkMeta{}, invalid("metadata other-ids is 0")
		}
	}
	m.RawBytes = r.number("raw-bytes")
	m.RawSHA256 = r.text("raw-sha256")
	m.SHA256 = r.text("sha256")
	m.Run = r.text("run")
	m.RequestID = r.text("request-id")
	m.Writer = r.text("writer")
	m.Evidence = md["evidence"]
	if r.err != nil {
		return ChunkMeta{}, r.err
	}
	if err := m.validate(); err != nil {
		return ChunkMeta{}, err
	}
	return m, nil
}

// bare reports whether nothing is left of a chunk's metadata.
func bare(md map[string]string) bool {
	for name := range (ChunkMeta{}).Metadata() {
		if _, ok := md[name]; ok {
			return false
		}
	}
	return true
}

func (m ChunkMeta) validate() error {
	if err := validateFormat(m.Format); err != nil {
		return err
	}
	if err := validateRange(m.Lo, m.Hi); err != nil {
		return err
	}
	if err := m.Counts.validate(); err != nil {
		return err
	}
	lines := m.Lines()
	switch {
	case m.Sum() != int64(m.Hi-m.Lo+1):
		return invalid("the classes sum up to %d, not to the %d seqs of [%d, %d]", m.Sum(), m.Hi-m.Lo+1, m.Lo, m.Hi)
	case m.TsMin < 0 || m.TsMax < m.TsMin || m.TsMin == 0 && m.TsMax != 0 || lines == 0 && m.TsMin != 0:
		return invalid("times [%d, %d] of %d lines", m.TsMin, m.TsMax, lines)
	case m.OtherIDs < 0 || m.OtherIDs > lines:
		return invalid("ids of %d of %d lines are other ones", m.OtherIDs, lines)
	case m.RawBytes < 0 || m.RawBytes > maxTotal || (m.RawBytes == 0) != (lines == 0):
		return invalid("raw bytes are %d of %d lines", m.RawBytes, lines)
	case !isSHA256(m.RawSHA256):
		return invalid("raw sha256 is not 64 lower-case hex digits")
	case !isSHA256(m.SHA256):
		return invalid("sha256 is not 64 lower-case hex digits")
	case !isToken(m.Run):
		return invalid("run is not a short printable word")
	case !isToken(m.RequestID):
		return invalid("request id is not a short printable word")
	case !isToken(m.Writer):
		return invalid("writer is not a short printable word")
	case m.Expired == 0 && m.Evidence != "":
		return invalid("evidence without an expired seq")
	case m.Expired != 0 && m.Evidence != EvidenceFinished && m.Evidence != EvidenceProbe:
		return invalid("expired seqs without evidence %q or %q", EvidenceFinished, EvidenceProbe)
	}
	return nil
}

// metaReader collects the first error, so that the names can be read as one list.
type metaReader struct {
	md  map[string]string
	err error
}

func (r *metaReader) text(name string) string {
	value, ok := r.md[name]
	if !ok && r.err == nil {
		r.err = invalid("metadata %s is missing", name)
	}
	return value
}

// number takes a decimal as Metadata writes it: no sign, no leading zero.
func (r *metaReader) number(name string) int64 {
	value := r.text(name)
	n, err := strconv.ParseInt(value, 10, 64)
	if r.err == nil && (err != nil || n < 0 || decimal(n) != value) {
		r.err = invalid("metadata %s is not a number", name)
	}
	return n
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func isSHA256(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 64 && strings.ToLower(s) == s
}

// isToken reports whether a value can travel as an HTTP header without any change: short, not empty, printable ASCII,
// no spaces.
func isToken(s string) bool {
	return s != "" && len(s) <= maxValue && token(s) == s
}

// token makes any text such a value: other bytes become '_', what is too long is cut, nothing becomes "-".
func token(s string) string {
	if s == "" {
		return "-"
	}
	out := []byte(s[:min(len(s), maxValue)])
	for i, c := range out {
		if c <= ' ' || c >= 0x7f {
			out[i] = '_'
		}
	}
	return string(out)
}
