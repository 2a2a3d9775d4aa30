package archive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"chatexport/internal/chat"
)

// Trail is one kind of what follows a stream's chunks: the form of its receipts.
type Trail struct {
	Name   string   // as in keys, variables and logs
	Counts []string // every receipt counts these, and each line is one of them

	sum   string // names the sum of all counts; where that is empty, it is the number of seqs
	times bool   // a receipt tells when it was found out
}

// ReceiptMeta is what is known of a receipt besides its lines. It is the object's user metadata and, but for SHA256, its
// first line, so that a copy of the bytes proves as well.
type ReceiptMeta struct {
	Lo, Hi   chat.Seq
	Counts   map[string]int64 // by the names of the trail; one that is missing is 0
	From, To int64            // when what it says was found out, in seconds since 1970; of the change trail only
	Run      string
	Writer   string // random, new in every batch: tells one's own write from another's
	Previous string // SHA-256 of the receipt before this one in its trail, of genesis for the first, in lower-case hex
	SHA256   string // of the object, in lower-case hex
}

// Receipt is a finished receipt.
type Receipt struct {
	Meta ReceiptMeta
	Body []byte // the object
}

// Sum returns the sum of all counts.
func (m ReceiptMeta) Sum() int64 {
	var sum int64
	for _, n := range m.Counts {
		sum += n
	}
	return sum
}

// field is one member of the metadata.
type field struct {
	name  string
	value string
	text  bool
}

func (t Trail) fields(m ReceiptMeta) []field {
	number := func(name string, n int64) field { return field{name: name, value: decimal(n)} }
	fields := []field{number("format", Format), number("lo", int64(m.Lo)), number("hi", int64(m.Hi))}
	if t.sum != "" {
		fields = append(fields, number(t.sum, m.Sum()))
	}
	for _, name := range t.Counts {
		fields = append(fields, number(name, m.Counts[name]))
	}
	if t.times {
		fields = append(fields, number("from", m.From), number("to", m.To))
	}
	return append(fields, field{"run", m.Run, true}, field{"writer", m.Writer, true}, field{"previous", m.Previous, true})
}

// Metadata returns the user metadata of a receipt's object, as ChunkMeta.Metadata does.
func (t Trail) Metadata(m ReceiptMeta) map[string]string {
	md := map[string]string{"sha256": m.SHA256}
	for _, f := range t.fields(m) {
		md[f.name] = f.value
	}
	return md
}

// ParseMetadata reads a receipt's user metadata back. Its errors are those of ParseChunkMeta.
func (t Trail) ParseMetadata(md map[string]string) (ReceiptMeta, error) {
	own := t.Metadata(ReceiptMeta{})
	if !slices.ContainsFunc(slices.Collect(maps.Keys(md)), func(name string) bool { _, ok := own[name]; return ok }) {
		return ReceiptMeta{}, fmt.Errorf("%w: %w", ErrInvalid, ErrNoMetadata)
	}
	r := metaReader{md: md}
	m := t.read(&r)
	m.SHA256 = r.text("sha256")
	if r.err == nil && !isSHA256(m.SHA256) {
		r.err = invalid("sha256 is not 64 lower-case hex digits")
	}
	if r.err != nil {
		return ReceiptMeta{}, r.err
	}
	return m, nil
}

// read reads all but the sum of the object, and leaves the first error in r.
func (t Trail) read(r *metaReader) ReceiptMeta {
	format := int(r.number("format"))
	if r.err == nil {
		r.err = validateFormat(format)
	}
	m := ReceiptMeta{
		Lo: chat.Seq(r.number("lo")), Hi: chat.Seq(r.number("hi")), Counts: map[string]int64{},
		Run: r.text("run"), Writer: r.text("writer"), Previous: r.text("previous"),
	}
	for _, name := range t.Counts {
		m.Counts[name] = r.number(name)
	}
	if t.times {
		m.From, m.To = r.number("from"), r.number("to")
	}
	sum := int64(m.Hi - m.Lo + 1)
	if t.sum != "" {
		sum = r.number(t.sum)
	}
	if r.err == nil {
		r.err = t.validate(m, sum)
	}
	return m
}

func (t Trail) validate(m ReceiptMeta, sum int64) error {
	if err := validateRange(m.Lo, m.Hi); err != nil {
		return err
	}
	for name, n := range m.Counts {
		if n < 0 || n > maxTotal || !slices.Contains(t.Counts, name) {
			return invalid("count %s is %d", name, n)
		}
	}
	switch {
	case m.Sum() != sum || sum == 0:
		return invalid("the counts of [%d, %d] sum up to %d, not to %d", m.Lo, m.Hi, m.Sum(), sum)
	case t.times && (m.From < 1 || m.To < m.From):
		return invalid("times [%d, %d]", m.From, m.To)
	case !isToken(m.Run) || !isToken(m.Writer):
		return invalid("run or writer is not a short printable word")
	case !isSHA256(m.Previous):
		return invalid("previous is not 64 lower-case hex digits")
	}
	return nil
}

// NewReceipt builds a receipt with these lines, each with a newline at its end. The same lines give the same Body in one
// build. The error wraps ErrInvalid.
func (t Trail) NewReceipt(m ReceiptMeta, lines []byte) (Receipt, error) {
	sum := m.Sum()
	if t.sum == "" {
		sum = int64(m.Hi - m.Lo + 1)
	}
	if err := t.validate(m, sum); err != nil {
		return Receipt{}, err
	}
	out := &blocks{}
	zip := newGzip(out)
	for _, part := range [][]byte{t.firstLine(m), lines} {
		if _, err := zip.Write(part); err != nil {
			return Receipt{}, err // cannot happen: blocks take everything
		}
	}
	if err := zip.Close(); err != nil {
		return Receipt{}, err
	}
	r := Receipt{Meta: m, Body: out.take()}
	r.Meta.SHA256 = SHA256(r.Body)
	return r, nil
}

// firstLine has the metadata's names with '_' for '-', and numbers as numbers.
func (t Trail) firstLine(m ReceiptMeta) []byte {
	var b bytes.Buffer
	sep := `{"receipt":{`
	for _, f := range t.fields(m) {
		value := f.value
		if f.text {
			value = strconv.Quote(value) // of printable ASCII: the same in JSON
		}
		fmt.Fprintf(&b, `%s"%s":%s`, sep, strings.ReplaceAll(f.name, "-", "_"), value)
		sep = ","
	}
	b.WriteString("}}\n")
	return b.Bytes()
}

// ReadReceipt reads a receipt's object to its end and checks that it is format 1: one gzip member as of a chunk, and a first
// line that adds up. visit gets each other line without its newline, valid during the call only. Errors are as for ReadChunk.
// Whether the lines are what the first one counts, visit must know.
func (t Trail) ReadReceipt(r io.Reader, visit func(line []byte) error) (ReceiptMeta, error) {
	var m ReceiptMeta
	first := true
	_, sum, err := readMember(r, func(in *bufio.Reader, src *source) error {
		return eachLine(in, src, func(line []byte) error {
			line = line[:len(line)-1]
			if !first {
				return visit(line)
			}
			first = false
			var err error
			m, err = t.parseFirstLine(line)
			return err
		})
	})
	switch {
	case err != nil:
		return ReceiptMeta{}, err
	case first:
		return ReceiptMeta{}, invalid("a receipt without a line")
	}
	m.SHA256 = sum
	return m, nil
}

func (t Trail) parseFirstLine(line []byte) (ReceiptMeta, error) {
	var envelope struct {
		Receipt map[string]json.RawMessage `json:"receipt"`
	}
	if err := json.Unmarshal(line, &envelope); err != nil || envelope.Receipt == nil {
		return ReceiptMeta{}, invalid("the first line is none of a receipt")
	}
	md := make(map[string]string, len(envelope.Receipt))
	for name, raw := range envelope.Receipt {
		value := string(raw)
		if text, err := strconv.Unquote(value); err == nil {
			value = text
		}
		md[strings.ReplaceAll(name, "_", "-")] = value
	}
	r := metaReader{md: md}
	m := t.read(&r)
	if r.err == nil && !bytes.Equal(t.firstLine(m), append(bytes.Clone(line), '\n')) {
		r.err = invalid("the first line is not as this format writes it")
	}
	return m, r.err
}

// ReceiptEntry is a stored receipt as its metadata tell it, for package chain.
type ReceiptEntry struct {
	ReceiptMeta
	CRC64 string // in decimal
}

// Range returns the seqs that the receipt covers.
func (e ReceiptEntry) Range() (lo, hi chat.Seq) { return e.Lo, e.Hi }

// WrittenBy names the batch that wrote the receipt.
func (e ReceiptEntry) WrittenBy() string { return e.Writer }

// Sums returns the object's sums.
func (e ReceiptEntry) Sums() (sha256, crc64 string) { return e.SHA256, e.CRC64 }
