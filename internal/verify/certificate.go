package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// LevelRead is what a certificate says of the level: it is written of what was read, and of nothing else.
const LevelRead = "read"

// What a certificate says of files: all that receipts say is stored was found with its size, or read. In its place may be in words
// which part of them was read.
const (
	FilesFound = "found"
	FilesRead  = "read"
)

// Certificate says what was proved of an archive, for a person to keep where nobody who can delete the archive can reach
// it. With it a later verification proves that all of that is still there. Its form is stable: members are only ever added.
type Certificate struct {
	Format     int         `json:"format"`
	VerifiedAt time.Time   `json:"verified_at"`
	Verifier   string      `json:"verifier"`
	Place      Place       `json:"place"`
	Level      string      `json:"level"`           // LevelRead
	Files      string      `json:"files,omitempty"` // FilesFound, FilesRead, or in words which part was read
	Streams    []Certified `json:"streams"`
}

// Place is where an archive is: in a bucket, below a prefix, or in a folder.
type Place struct {
	Bucket string `json:"bucket,omitempty"`
	Region string `json:"region,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	Folder string `json:"folder,omitempty"` // absolute
}

// String names the place.
func (p Place) String() string {
	if p.Bucket == "" {
		return p.Folder
	}
	return "cos://" + p.Bucket + "/" + p.Prefix + " in " + p.Region
}

// Certified is what was proved of one stream.
type Certified struct {
	SDKAppID  int            `json:"sdkappid"`
	GroupID   string         `json:"group_id"`
	TopicID   string         `json:"topic_id"`
	Lo        chat.Seq       `json:"lo"`        // verified from here
	Hi        chat.Seq       `json:"hi"`        // to here
	ListedTo  chat.Seq       `json:"listed_to"` // pinned by the manifests up to here
	Finished  string         `json:"finished"`
	Counts    archive.Totals `json:"counts"`
	Expired   []ExpiredRange `json:"expired"`
	Absent    []Range        `json:"absent"`
	Malformed []Range        `json:"malformed"`
	Genesis   archive.Link   `json:"genesis"`
	Manifests []archive.Link `json:"manifests"`       // oldest first; the last one's hash pins all before it, and all their chunks
	Unlisted  []archive.Link `json:"unlisted"`        // chunks that were in no manifest then
	Warnings  []Finding      `json:"warnings"`        // what is no fault, and implausible for one
	Files     *Files         `json:"files,omitempty"` // absent without any link
	Looks     *Looks         `json:"looks,omitempty"` // absent without any look
	Source    *SourceReport  `json:"source,omitempty"`
}

// Stream names the stream.
func (c *Certified) Stream() chat.Stream { return chat.Stream{GroupID: c.GroupID, TopicID: c.TopicID} }

// Certify returns what is to be certified of a stream that was read whole.
func (r *Report) Certify() Certified {
	return Certified{
		SDKAppID: r.SDKAppID, GroupID: r.GroupID, TopicID: r.TopicID, Lo: r.Lo, Hi: r.Hi, ListedTo: r.ListedTo,
		Finished: r.Finished, Counts: r.Totals, Expired: orEmpty(r.Expired), Absent: orEmpty(r.Absent), Malformed: orEmpty(r.Malformed),
		Genesis: r.Genesis, Manifests: orEmpty(r.Chain), Unlisted: orEmpty(r.Unlisted),
		Warnings: orEmpty(r.Warnings), Files: r.Files, Looks: r.Looks,
	}
}

// orEmpty makes an empty list of none, so that a member is never null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// ParseCertificate reads a certificate back. The error wraps archive.ErrFormat or archive.ErrInvalid.
func ParseCertificate(body []byte) (Certificate, error) {
	var c Certificate
	if err := json.Unmarshal(body, &c); err != nil {
		return c, fmt.Errorf("%w: %w", archive.ErrInvalid, err)
	}
	if c.Format != archive.Format {
		return c, fmt.Errorf("%w %d of a certificate", archive.ErrFormat, c.Format)
	}
	if c.Level != LevelRead {
		return c, fmt.Errorf("%w: a certificate of level %q", archive.ErrInvalid, c.Level)
	}
	for i := range c.Streams {
		s := &c.Streams[i]
		if err := s.Stream().Validate(); err != nil {
			return c, fmt.Errorf("%w: %w", archive.ErrInvalid, err)
		}
		for _, link := range s.Unlisted {
			if name, err := layout.Parse(link.Key); err != nil || name.Kind != layout.KindChunk || name.Stream != s.Stream() {
				return c, fmt.Errorf("%w: %q is no chunk of %s", archive.ErrInvalid, link.Key, s.Stream())
			}
		}
		for _, last := range s.receipts() {
			name, err := layout.Parse(last.Key)
			if err != nil || name.Kind != layout.KindMedia && name.Kind != layout.KindChange || name.Stream != s.Stream() {
				return c, fmt.Errorf("%w: %q is no receipt of %s", archive.ErrInvalid, last.Key, s.Stream())
			}
		}
	}
	return c, nil
}

// receipts returns the last receipt of each trail, which pins all before it.
func (c *Certified) receipts() (last []archive.Link) {
	if c.Files != nil && c.Files.Last.Key != "" {
		last = append(last, c.Files.Last)
	}
	if c.Looks != nil && c.Looks.Last.Key != "" {
		last = append(last, c.Looks.Last)
	}
	return last
}

// checkCertified proves that what a certificate lists is what this verification has gone over. Chunks that were in no
// manifest then are read again, since manifests that were written later could list others in their place.
func (v *verifier) checkCertified(ctx context.Context) error {
	c := v.opts.Against[v.stream]
	if c.Genesis.Key != "" && v.report.Genesis != c.Genesis {
		v.addOnce(KindVanished, c.Genesis.Key, "does not have the certified sha256 %s", c.Genesis.SHA256)
	}
	for i, link := range c.Manifests {
		if i >= len(v.report.Chain) || v.report.Chain[i] != link {
			v.add(KindVanished, link.Key, "is not in the chain of manifests with the certified sha256 %s", link.SHA256)
		}
	}
	for _, link := range slices.Concat(c.Unlisted, c.receipts()) {
		body, found, err := v.read(ctx, link.Key)
		switch {
		case err != nil:
			return err
		case !found:
			v.add(KindVanished, link.Key, "does not exist, but was certified")
		case body != nil && sum(body) != link.SHA256: // without a body it is corrupt, which read has told
			v.add(KindVanished, link.Key, "does not have the certified sha256 %s", link.SHA256)
		}
	}
	return nil
}

// expected returns the seq behind the last that somebody knew to be archived, and who; 0 if nobody did.
func (v *verifier) expected() (end chat.Seq, who string) {
	if c, ok := v.opts.Against[v.stream]; ok && c.Genesis.Key != "" {
		end, who = max(c.Hi+1, c.Lo), "the certificate"
	}
	if known := v.opts.Known[v.stream]; known > end {
		end, who = known, "the last sweep"
	}
	return end, who
}

// checkKnown compares the end of the chain with what the last sweep knew. It has read what it knew before the chain was
// walked, so that the archive cannot have been shorter then.
func (v *verifier) checkKnown() {
	if known, end := v.opts.Known[v.stream], max(v.report.Hi+1, v.report.Lo); known > end {
		v.add(KindVanished, layout.Chunk(v.stream, end), "the last sweep knew an archive up to %d, but this one ends at %d", known-1, end-1)
	}
}
