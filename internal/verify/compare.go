package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"unicode/utf8"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// maxSeqs bounds the lists of a Diff.
const maxSeqs = 100

// Diff is how an archive differs from what it should hold.
type Diff struct {
	Equal     int64      `json:"equal"`     // elements that are archived as they should be
	Missing   int64      `json:"missing"`   // expected, not archived
	Extra     int64      `json:"extra"`     // archived, not expected
	Different int64      `json:"different"` // archived with another content
	Seqs      []chat.Seq `json:"seqs,omitempty"`
}

// Same reports whether there is no difference.
func (d *Diff) Same() bool { return d.Missing == 0 && d.Extra == 0 && d.Different == 0 }

// String returns the numbers and the first seqs that differ, on one line.
func (d *Diff) String() string {
	text := fmt.Sprintf("%d equal, %d missing, %d extra, %d different", d.Equal, d.Missing, d.Extra, d.Different)
	if len(d.Seqs) > 0 {
		text += fmt.Sprintf(", first at %v", d.Seqs[:min(len(d.Seqs), 10)])
	}
	return text
}

// note counts a difference, and keeps its seq if it is one of the first.
func note(count *int64, seqs *[]chat.Seq, seq chat.Seq) {
	*count++
	if len(*seqs) < maxSeqs {
		*seqs = append(*seqs, seq)
	}
}

// Compare reads the stream's chunks from genesis to the end of the chain and compares each line with the truth: seqs in
// ascending order with the element's JSON as the service sends it. A line is equal if it is that JSON, but for
// insignificant white space, bytes that are not UTF-8, and the stream's ids spliced in. Every seq of truth must be
// archived exactly once, in order. A placeholder (IsPlaceMsg 1), or a malformed seq, that truth does not have is not a difference.
//
// It shares no code with the reading of pages, so that it can prove that. A chunk that cannot be read is an error that
// wraps archive.ErrInvalid or archive.ErrFormat. Without a genesis, all of truth is missing.
func Compare(ctx context.Context, store Store, s chat.Stream, truth iter.Seq2[chat.Seq, []byte]) (Diff, error) {
	next, stop := iter.Pull2(truth)
	defer stop()
	c := &comparison{stream: s, prefix: splice(s), next: next}
	c.pop()
	err := eachLine(ctx, store, s, c.line)
	for err == nil && c.more {
		note(&c.diff.Missing, &c.diff.Seqs, c.seq)
		c.pop()
	}
	if err != nil {
		return c.diff, fmt.Errorf("compare %s: %w", s, err)
	}
	return c.diff, nil
}

// eachLine gives visit every line of the chain, in order.
func eachLine(ctx context.Context, store Store, s chat.Stream, visit func(chat.Element) error) error {
	body, _, err := store.Get(ctx, layout.Genesis(s))
	if errors.Is(err, objstore.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	genesis, err := archive.ParseGenesis(body)
	if err != nil {
		return fmt.Errorf("%s: %w", layout.Genesis(s), err)
	}
	for lo := genesis.FirstLo; lo <= chat.MaxSeq; {
		key := layout.Chunk(s, lo)
		body, obj, err := store.Get(ctx, key)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		meta, err := archive.ParseChunkMeta(obj.Metadata)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if _, err := archive.ReadChunk(bytes.NewReader(body), s, lo, meta.Hi, visit); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		lo = meta.Hi + 1
	}
	return nil
}

type comparison struct {
	stream chat.Stream
	prefix []byte
	diff   Diff

	next func() (chat.Seq, []byte, bool)
	seq  chat.Seq
	json []byte
	more bool
}

func (c *comparison) pop() { c.seq, c.json, c.more = c.next() }

func (c *comparison) line(e chat.Element) error {
	for c.more && c.seq < e.Seq {
		note(&c.diff.Missing, &c.diff.Seqs, c.seq)
		c.pop()
	}
	if !c.more || c.seq != e.Seq {
		if e.Retained() && !e.Malformed {
			note(&c.diff.Extra, &c.diff.Seqs, e.Seq)
		}
		return nil
	}
	want, err := normal(c.json)
	if err != nil {
		return fmt.Errorf("truth of seq %d: %w", c.seq, err)
	}
	if c.equal(e.JSON, want) {
		c.diff.Equal++
	} else {
		note(&c.diff.Different, &c.diff.Seqs, e.Seq)
	}
	c.pop()
	return nil
}

// equal builds the line that the element must have become: with the stream's ids in front, each unless the element has a
// member of that name, whatever its value.
func (c *comparison) equal(line, want []byte) bool {
	rest, spliced := bytes.CutPrefix(line, c.prefix)
	if spliced && bytes.Equal(rest, want[1:]) && !bytes.Contains(want, []byte(`Id":`)) && !bytes.Contains(want, []byte(`\u00`)) {
		return true // it cannot have either member, not even with its name escaped
	}
	var members map[string]json.RawMessage // exact names: a struct would take "groupid", too
	if json.Unmarshal(want, &members) != nil {
		return false
	}
	built := []byte{'{'}
	if _, own := members["GroupId"]; !own {
		built = append(append(built, groupMember(c.stream)...), ',')
	}
	if _, own := members["TopicId"]; !own && c.stream.TopicID != "" {
		built = append(append(built, topicMember(c.stream)...), ',')
	}
	return bytes.Equal(line, append(built, want[1:]...))
}

// normal brings JSON from the service to the form that a line has.
func normal(raw []byte) ([]byte, error) {
	var valid []byte
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		valid = utf8.AppendRune(valid, r) // U+FFFD for each byte that is not UTF-8
		raw = raw[size:]
	}
	var out bytes.Buffer
	if err := json.Compact(&out, valid); err != nil {
		return nil, err
	}
	if out.Len() < 2 || out.Bytes()[0] != '{' {
		return nil, errors.New("not a JSON object")
	}
	return out.Bytes(), nil
}

// splice returns how a line begins whose element had no ids of its own.
func splice(s chat.Stream) []byte {
	out := append([]byte{'{'}, groupMember(s)...)
	if s.TopicID != "" {
		out = append(append(out, ','), topicMember(s)...)
	}
	return append(out, ',')
}

func groupMember(s chat.Stream) []byte { return append([]byte(`"GroupId":`), quote(s.GroupID)...) }

func topicMember(s chat.Stream) []byte { return append([]byte(`"TopicId":`), quote(s.TopicID)...) }

func quote(id string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(id); err != nil {
		panic(err) // a string can always be encoded
	}
	return bytes.TrimSpace(buf.Bytes())
}
