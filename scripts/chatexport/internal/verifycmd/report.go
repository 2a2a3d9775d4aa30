package verifycmd

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/verify"
	"chatexport/internal/version"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

// maxShown bounds what a person is shown of one list; --json shows all.
const maxShown = 20

func text(o options, r result) string {
	rows := [][]string{{"group", "from", "to", "messages", "expired", "absent", "chunks", "read", "manifests", "verdict"}}
	for i := range r.Streams {
		s := &r.Streams[i]
		t := s.Totals
		expired := int64(max(s.Lo-1, 0)) + t.Expired
		rows = append(rows, []string{
			cli.StreamName(s.Stream), seq(s.Lo), seq(s.Hi), cli.Count(t.Lines()), cli.Count(expired), cli.Count(t.Absent),
			cli.Count(t.Chunks), cli.Count(s.Read), cli.Count(s.Manifests), verdict(s),
		})
	}
	var b cli.Lines
	b.Table(rows, 0, -1)
	for i := range r.Streams {
		details(&b, o, &r.Streams[i])
	}
	findings(&b, "", r.Findings)
	warnings(&b, "", r.Warnings)
	if r.against != nil && r.Consistent {
		b.Line("all that %s lists, of %s, is still there%s", o.against, r.against.VerifiedAt.Format(time.RFC3339), r.asFar(", unchanged"))
	}
	streams := cli.Plural(len(r.Streams), "stream")
	switch {
	case r.Sound:
		b.Line("sound: %s in %s, level %s%s", streams, r.Where, r.Level, r.notRead())
	case r.Consistent:
		b.Line("consistent: %s in %s, level %s%s", streams, r.Where, r.Level, r.notRead())
	default:
		b.Line("NOT SOUND: %s", r.Where)
	}
	return b.String()
}

// notRead says what a proof would need besides.
func (r *result) notRead() (text string) {
	chunks, receipts, blobs := r.unread()
	if chunks > 0 || receipts > 0 {
		var parts []string
		if chunks > 0 {
			parts = append(parts, cli.Plural(chunks, "chunk"))
		}
		if receipts > 0 {
			parts = append(parts, cli.Plural(receipts, "receipt"))
		}
		text = fmt.Sprintf("; the bytes of %s were not read, which --read does", strings.Join(parts, " and "))
	}
	if blobs > 0 {
		text += fmt.Sprintf("; the bytes of %s were not read, which --files does", cli.Plural(blobs, "file"))
	}
	return text
}

// asFar says how much is meant by something that is true of all that was read.
func (r *result) asFar(whole string) string {
	if r.Sound {
		return whole
	}
	return ", as far as level " + r.Level + " sees"
}

func seq(n chat.Seq) string { return cli.Count(int64(n)) }

func verdict(s *stream) string {
	proved := "consistent"
	if s.Whole() {
		proved = "sound"
	}
	switch {
	case !s.Sound():
		return "NOT SOUND: " + cli.Plural(len(s.Findings)+s.Omitted, "finding")
	case s.Totals.Chunks == 0:
		return proved + ", empty"
	case s.ListedTo < s.Hi:
		return fmt.Sprintf("%s; %s above %s are in no manifest yet", proved, cli.Plural(int64(s.Hi-s.ListedTo), "seq"), seq(s.ListedTo))
	default:
		return proved + ", " + s.Finished
	}
}

func details(b *cli.Lines, o options, s *stream) {
	name := cli.StreamName(s.Stream)
	for i, r := range s.Expired {
		if i == maxShown {
			b.Line("%s: %s more expired ranges, see --json", name, cli.Count(len(s.Expired)-i))
			break
		}
		b.Line("%s: expired before it could be archived: %s to %s (evidence: %s)", name, seq(r.Lo), seq(r.Hi), r.Evidence)
	}
	ranges(b, name, "absent", "not returned by the service", s.Absent)
	ranges(b, name, "malformed", "what the service returned cannot be read", s.Malformed)
	if n := s.Totals.Malformed; n > 0 && !o.read {
		b.Line("%s: %s malformed", name, cli.Plural(n, "seq"))
	}
	if s.Totals.Absent+s.Totals.Malformed > 0 && !o.read {
		b.Line("%s: --read names the absent and malformed ranges", name)
	}
	if s.Copied > 0 {
		b.Line("%s: %s without metadata, as in a copy: what the manifests list stands for them", name, cli.Plural(s.Copied, "chunk"))
	}
	if s.Files != nil {
		files(b, name, s.Files)
	}
	if s.Looks != nil {
		looks(b, name, s.Looks)
	}
	if c := s.Source; c != nil && c.Gone {
		b.Line("%s: Chat does not have it any more: there is nothing to compare it with", name)
	} else if c != nil {
		b.Line("%s: compared %s with Chat: %s equal, %s as looks have found them; since then %s edited, %s recalled, %s deleted, %s expired; %s unreadable, %s missing, %s different",
			name, cli.Plural(c.Pages, "page"), cli.Count(c.Equal), cli.Count(c.Told), cli.Count(c.Edited), cli.Count(c.Recalled), cli.Count(c.Deleted),
			cli.Count(c.Expired), cli.Count(c.Unreadable), cli.Count(c.Missing), cli.Count(c.Different))
	}
	findings(b, name+": ", s.Findings)
	warnings(b, name+": ", s.Warnings)
	if s.Omitted > 0 {
		b.Line("%s: %s more findings or warnings", name, cli.Count(s.Omitted))
	}
}

// files says what became of the links, and how far that is known.
func files(b *cli.Lines, name string, f *verify.Files) {
	known := f.Accounted()
	line := fmt.Sprintf("%s: %s", name, cli.Plural(known+f.Outstanding, "link"))
	if known > 0 {
		line += fmt.Sprintf(", accounted for up to %s: %s", seq(f.To), counts(archive.Media(), f.Links))
	}
	if f.Outstanding > 0 {
		line += fmt.Sprintf("; of %s nothing is recorded yet", cli.Count(f.Outstanding))
	}
	b.Line("%s", line)
	copied(b, name, f.Copied, "receipt")
	switch stored := f.Links[archive.MediaStored]; {
	case stored == 0:
	case f.Read == 0:
		b.Line("%s: whether the files of %s are there was not looked at: --read asks for their sizes, --files reads them", name, cli.Plural(stored, "stored link"))
	default:
		storedFiles(b, name, cli.Count(stored)+" stored links", &f.StoredFiles)
	}
}

// looks says what was found changed, and how far that is known.
func looks(b *cli.Lines, name string, l *verify.Looks) {
	line := fmt.Sprintf("%s: looked at again up to %s", name, seq(l.To))
	if l.At > 0 {
		line += fmt.Sprintf(", the last time on %s: %s", time.Unix(l.At, 0).UTC().Format(time.RFC3339), counts(archive.Change(), l.Seqs))
	}
	if l.Outstanding > 0 {
		line += fmt.Sprintf("; %s not yet", cli.Plural(l.Outstanding, "seq"))
	}
	b.Line("%s", line)
	if l.AbsentFound > 0 {
		b.Line("%s: of the absent seqs, %s found since: the receipts of looks have them", name, cli.Count(l.AbsentFound))
	}
	copied(b, name, l.Copied, "look")
	if l.Stored > 0 {
		storedFiles(b, name, cli.Count(l.Stored)+" stored links of what looks have found", &l.StoredFiles)
	}
}

// counts says how many there are of each, in the order of the trail.
func counts(t archive.Trail, of map[string]int64) string {
	var parts []string
	for _, name := range t.Counts {
		if n := of[name]; n > 0 {
			parts = append(parts, cli.Count(n)+" "+name)
		}
	}
	return strings.Join(parts, ", ")
}

func copied(b *cli.Lines, name string, n int, noun string) {
	if n > 0 {
		b.Line("%s: %s without metadata, as in a copy: their first lines stand for them", name, cli.Plural(n, noun))
	}
}

func storedFiles(b *cli.Lines, name, links string, f *verify.StoredFiles) {
	line := fmt.Sprintf("%s: files of %s of %s are there: %s, %s", name, cli.Count(f.Found), links, cli.Plural(f.Blobs, "file"), cli.Bytes(f.Bytes))
	if f.Hashed > 0 {
		line += fmt.Sprintf("; those of %s links were read: %s, %s", cli.Count(f.Hashed), cli.Plural(f.BlobsHashed, "file"), cli.Bytes(f.BytesHashed))
	}
	b.Line("%s", line)
}

func ranges(b *cli.Lines, name, class, text string, found []verify.Range) {
	for i, r := range found {
		if i == maxShown {
			b.Line("%s: %s more %s ranges, see --json", name, cli.Count(len(found)-i), class)
			break
		}
		b.Line("%s: %s, %s: %s to %s", name, class, text, seq(r.Lo), seq(r.Hi))
	}
}

func warnings(b *cli.Lines, prefix string, found []verify.Finding) {
	for i, f := range found {
		if i == maxShown {
			b.Line("%s%s more warnings, see --json", prefix, cli.Count(len(found)-i))
			break
		}
		b.Line("%swarning: %s", prefix, f)
	}
}

func findings(b *cli.Lines, prefix string, found []verify.Finding) {
	for _, f := range found {
		b.Line("%s%s", prefix, f)
	}
}

// certify writes the certificate of a sound archive.
func certify(o options, t *target.Target, r result, console *cli.Console) error {
	body, err := certificate(t, r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.certificate, body, 0o600); err != nil {
		return cli.Usage(fmt.Errorf("write --certificate: %w", err))
	}
	console.Line("certificate: %s", o.certificate)
	return nil
}

// certificate returns the certificate of a sound archive.
func certificate(t *target.Target, r result) ([]byte, error) {
	where, err := place(t)
	if err != nil {
		return nil, err
	}
	c := verify.Certificate{
		Format: archive.Format, VerifiedAt: time.Now().UTC().Truncate(time.Second), Verifier: "chatexport " + version.String(), Place: where, Level: r.Level, Files: r.FilesLevel,
	}
	for i := range r.Streams {
		s := &r.Streams[i]
		for _, w := range s.Warnings {
			if w.Kind == verify.KindUnlisted {
				return nil, cli.Wrong(fmt.Errorf("no certificate is written: %s %s", w.Key, w.Text))
			}
		}
		certified := s.Certify()
		certified.Source = s.Source
		c.Streams = append(c.Streams, certified)
	}
	body, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, cli.Service(fmt.Errorf("encode certificate: %w", err))
	}
	return append(body, '\n'), nil
}
