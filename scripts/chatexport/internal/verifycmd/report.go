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
	var b strings.Builder
	b.WriteString(cli.Table(rows, 0, -1))
	for i := range r.Streams {
		details(&b, o, &r.Streams[i])
	}
	findings(&b, "", r.Findings)
	if r.Sound {
		fmt.Fprintf(&b, "sound: %s in %s, level %s\n", cli.Plural(len(r.Streams), "stream"), r.Where, r.Level)
	} else {
		fmt.Fprintf(&b, "NOT SOUND: %s\n", r.Where)
	}
	return b.String()
}

func seq(n chat.Seq) string { return cli.Count(int64(n)) }

func verdict(s *stream) string {
	switch {
	case !s.Sound():
		return "NOT SOUND: " + cli.Plural(len(s.Findings)+s.Omitted, "finding")
	case s.Totals.Chunks == 0:
		return "sound, empty"
	case s.ListedTo < s.Hi:
		return fmt.Sprintf("sound; %s above %s are in no manifest yet", cli.Plural(int64(s.Hi-s.ListedTo), "seq"), seq(s.ListedTo))
	default:
		return "sound, " + s.Finished
	}
}

func details(b *strings.Builder, o options, s *stream) {
	name := cli.StreamName(s.Stream)
	for i, r := range s.Expired {
		if i == maxShown {
			fmt.Fprintf(b, "%s: %s more expired ranges, see --json\n", name, cli.Count(len(s.Expired)-i))
			break
		}
		fmt.Fprintf(b, "%s: expired before it could be archived: %s to %s (evidence: %s)\n", name, seq(r.Lo), seq(r.Hi), r.Evidence)
	}
	for i, r := range s.Absent {
		if i == maxShown {
			fmt.Fprintf(b, "%s: %s more absent ranges, see --json\n", name, cli.Count(len(s.Absent)-i))
			break
		}
		fmt.Fprintf(b, "%s: absent, not returned by the service: %s to %s\n", name, seq(r.Lo), seq(r.Hi))
	}
	if s.Totals.Absent > 0 && !o.read {
		fmt.Fprintf(b, "%s: --read names the absent ranges\n", name)
	}
	if c := s.Source; c != nil {
		fmt.Fprintf(b, "%s: compared %s with Chat: %s equal, %s recalled since, %s expired since, %s missing, %s different\n", name,
			cli.Plural(c.Pages, "page"), cli.Count(c.Equal), cli.Count(c.Recalled), cli.Count(c.Expired), cli.Count(c.Missing), cli.Count(c.Different))
	}
	findings(b, name+": ", s.Findings)
	if s.Omitted > 0 {
		fmt.Fprintf(b, "%s: %s more findings\n", name, cli.Count(s.Omitted))
	}
}

func findings(b *strings.Builder, prefix string, found []verify.Finding) {
	for _, f := range found {
		fmt.Fprintf(b, "%s%s\n", prefix, f)
	}
}

// certificate is what --certificate writes. Its form is stable: members are only ever added.
type certificate struct {
	Format     int                 `json:"format"`
	VerifiedAt time.Time           `json:"verified_at"`
	Verifier   string              `json:"verifier"`
	Archive    string              `json:"archive"`
	Level      string              `json:"level"` // chain, sample N% or read
	Streams    []certificateStream `json:"streams"`
}

type certificateStream struct {
	SDKAppID  int                   `json:"sdkappid"`
	GroupID   string                `json:"group_id"`
	TopicID   string                `json:"topic_id"`
	Lo        chat.Seq              `json:"lo"`        // verified from here
	Hi        chat.Seq              `json:"hi"`        // to here
	ListedTo  chat.Seq              `json:"listed_to"` // pinned by the manifests up to here
	Finished  string                `json:"finished"`
	Counts    archive.Totals        `json:"counts"`
	Expired   []verify.ExpiredRange `json:"expired"`
	Absent    []verify.Range        `json:"absent"` // by name at level read only
	Genesis   archive.Link          `json:"genesis"`
	Manifests []archive.Link        `json:"manifests"` // oldest first; the last one's hash pins all before it
	Source    *verify.SourceReport  `json:"source,omitempty"`
}

// certify writes the certificate of a sound archive.
func certify(o options, t *target.Target, r result, console *cli.Console) error {
	c := certificate{
		Format: 1, VerifiedAt: time.Now().UTC().Truncate(time.Second), Verifier: "chatexport " + version.String(), Archive: t.Where, Level: r.Level,
	}
	for i := range r.Streams {
		s := &r.Streams[i]
		c.Streams = append(c.Streams, certificateStream{
			SDKAppID: s.SDKAppID, GroupID: s.GroupID, TopicID: s.TopicID, Lo: s.Lo, Hi: s.Hi, ListedTo: s.ListedTo,
			Finished: s.Finished, Counts: s.Totals, Expired: orEmpty(s.Expired), Absent: orEmpty(s.Absent),
			Genesis: s.Genesis, Manifests: orEmpty(s.Chain), Source: s.Source,
		})
	}
	body, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return cli.Service(fmt.Errorf("encode certificate: %w", err))
	}
	if err := os.WriteFile(o.certificate, append(body, '\n'), 0o644); err != nil {
		return cli.Usage(fmt.Errorf("write --certificate: %w", err))
	}
	console.Line("certificate: %s", o.certificate)
	return nil
}

// orEmpty makes an empty list of none, so that a member is never null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
