// Package archive is format 1 of the archive: what stands in a chunk, a genesis, a manifest and a state.
//
// It owns the bytes of those objects, what makes them valid, and nothing else: it builds them, reads them back and
// refuses what is not format 1. A chunk's line is an element of the service, or stands for a malformed seq and holds the
// answer that could not be read, `{"GroupId":"...","MsgSeq":7,"_malformed":{"bytes":9,"answer":"<base64>"}}`; which of the
// two it is says package chat, to the writer and the reader alike. It must never do I/O beyond the reader it is given, decide what to export or when, or
// guess what an unknown format means.
package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"chatexport/internal/chat"
	"chatexport/internal/objstore"
)

// Format is the number of the format that this package writes and reads.
const Format = 1

// JSONContentType is the content type of all objects but chunks.
const JSONContentType = "application/json"

// Conditions of an object's content, matched with errors.Is.
var (
	// ErrFormat means that an object says it is of another format. Nothing else in it may be trusted or guessed.
	ErrFormat = errors.New("unknown archive format")
	// ErrInvalid means that an object (or what should become one) is not valid format 1.
	ErrInvalid = errors.New("not a valid object of archive format 1")
	// ErrNoMetadata means that a chunk's object has none of the metadata that a chunk has, as in a copy of the bytes alone:
	// what it is, its manifest tells. Whatever matches it matches ErrInvalid, too.
	ErrNoMetadata = errors.New("the object has no metadata of a chunk")
)

// What proves that a range has expired.
const (
	// EvidenceNone says that nothing was found to have expired.
	EvidenceNone = "none"
	// EvidenceFinished says that the service itself said so (IsFinished 2), confirmed by probes.
	EvidenceFinished = "finished"
	// EvidenceProbe says that probes of the range found nothing retained.
	EvidenceProbe = "probe"
)

// Names of a stream's status, in its state and, the three marked ones, in manifests.
const (
	StatusRunning     = "running"     // a run is under way
	StatusComplete    = "complete"    // manifest: archived up to the head of the run
	StatusPartial     = "partial"     // manifest: listed in the middle of a run
	StatusGone        = "gone"        // manifest: the group was dissolved; this is all there will be
	StatusUnsupported = "unsupported" // the service keeps no history for this kind of group
	StatusDamaged     = "damaged"     // objects are missing, or others stand in their place; a person must look
	StatusMismatch    = "mismatch"    // the archive is another app's
	StatusRecreated   = "recreated"   // a new group has the old one's id
	StatusNoMetadata  = "no_metadata" // chunks are there without their metadata: a copy, which can be proved but not continued
	StatusFailed      = "failed"      // retries of a task or hops of a run were used up, or the bucket has versioning
)

// Counts says how many seqs of a range are of each class. Every seq is in exactly one class; Repaired counts the
// returned elements with bytes that were not UTF-8, whatever their class, and Links what chat.Links finds. The line of a malformed seq holds the answer
// that could not be read (chat.NewMalformed).
type Counts struct {
	Messages     int64 `json:"messages"`
	System       int64 `json:"system"`
	Recalled     int64 `json:"recalled"`
	Placeholders int64 `json:"placeholders"`
	Malformed    int64 `json:"malformed"`
	Expired      int64 `json:"expired"`
	Absent       int64 `json:"absent"`
	Repaired     int64 `json:"repaired"`
	Links        int64 `json:"links"`
}

// Sum returns the number of seqs: that of all classes, without Repaired and Links.
func (c Counts) Sum() int64 { return c.Lines() + c.Expired + c.Absent }

// Lines returns the number of lines of a chunk: one for every element, and one for every malformed seq.
func (c Counts) Lines() int64 { return c.Elements() + c.Malformed }

// Elements returns the number of returned elements that could be read: what a summary calls messages.
func (c Counts) Elements() int64 { return c.Messages + c.System + c.Recalled + c.Placeholders }

// Add adds other to c.
func (c *Counts) Add(other Counts) {
	c.Messages += other.Messages
	c.System += other.System
	c.Recalled += other.Recalled
	c.Placeholders += other.Placeholders
	c.Malformed += other.Malformed
	c.Expired += other.Expired
	c.Absent += other.Absent
	c.Repaired += other.Repaired
	c.Links += other.Links
}

// element counts one returned element.
func (c *Counts) element(e *chat.Element) {
	switch e.Class() {
	case chat.ClassMalformed:
		c.Malformed++
	case chat.ClassRecalled:
		c.Recalled++
	case chat.ClassPlaceholder:
		c.Placeholders++
	case chat.ClassSystem:
		c.System++
	default:
		c.Messages++
		c.Links += int64(len(chat.Links(e)))
	}
	if e.Repaired {
		c.Repaired++
	}
}

// validate refuses negative counts, and counts so large that their sum could overflow.
func (c Counts) validate() error {
	for _, n := range []int64{c.Messages, c.System, c.Recalled, c.Placeholders, c.Malformed, c.Expired, c.Absent, c.Repaired, c.Links} {
		if n < 0 || n > maxTotal {
			return invalid("a count is %d", n)
		}
	}
	if c.Repaired > c.Lines() {
		return invalid("repaired is %d of %d lines", c.Repaired, c.Lines())
	}
	if c.Links > 0 && c.Messages == 0 {
		return invalid("%d links of no message", c.Links)
	}
	return nil
}

// maxTotal bounds every number of a total: far above what 2^32 messages can amount to, and low enough to be added.
const maxTotal = 1 << 50

// SHA256 returns a sum as objects of an archive tell it: in lower-case hex.
func SHA256(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// CRC64 returns the checksum that COS reports as x-cos-hash-crc64ecma.
func CRC64(body []byte) uint64 { return objstore.CRC64(body) }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func validateFormat(format int) error {
	switch format {
	case Format:
		return nil
	case 0:
		return invalid("format is missing")
	default:
		return fmt.Errorf("%w %d: this version reads format %d only", ErrFormat, format, Format)
	}
}

// validateRange checks 1 <= lo <= hi <= 4294967295.
func validateRange(lo, hi chat.Seq) error {
	if lo < 1 || hi < lo || hi > chat.MaxSeq {
		return invalid("range [%d, %d]", lo, hi)
	}
	return nil
}
