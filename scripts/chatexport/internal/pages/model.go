package pages

import (
	"strings"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/scripts/chatexport/internal/cli"
)

// row is a row as the template has it.
type row struct {
	Seq     chat.Seq
	Gap     *gap
	Message *message
	Day     string // heading, where a list goes over several days
}

type gap struct {
	Kind  conversation.GapKind
	Range string
	Text  string
	Why   string
	Proof string
}

type message struct {
	Seq     chat.Seq
	From    conversation.Person
	Hue     int // of the sender, to tell people apart
	Same    bool
	Time    clock
	Class   string
	Parts   []part
	Marks   []mark
	Before  *version
	Proof   string
	System  bool
	NoText  bool
	Context *contextLine
}

type contextLine struct{ Text string }

// version is what a message said before.
type version struct {
	Label string
	Parts []part
}

// mark says what became of a message.
type mark struct{ Kind, Text, Title string }

// clock is a moment.
type clock struct{ Short, Long, Machine string }

type part struct {
	Kind     conversation.PartKind
	Type     string
	Text     string
	Data     []labelled
	Seconds  string
	File     *file
	Thumb    *file
	Merged   []quoted
	Abstract []string
	Missing  bool
	Show     string // "image", "audio", "video": how the file can be shown in place
}

type labelled struct{ Label, Text string }

type quoted struct {
	From  conversation.Person
	Hue   int
	Time  clock
	Parts []part
}

type file struct {
	URL   string
	Name  string
	Size  string
	State string // why it is not here; empty if it is
	SHA   string
	Type  string
}

// drawer turns what a conversation tells into what templates need.
type drawer struct {
	stream chat.Stream
	links  Links
	zone   *time.Location
}

func (d drawer) clock(seconds int64) clock {
	if seconds <= 0 {
		return clock{}
	}
	t := time.Unix(seconds, 0).In(d.zone)
	return clock{t.Format("15:04"), t.Format("2006-01-02 15:04:05 MST"), t.Format(time.RFC3339)}
}

// rows draws rows; neighbours of one sender within some minutes are drawn as one speech.
func (d drawer) rows(rows []conversation.Row) []row {
	const speech = 5 * 60
	out := make([]row, 0, len(rows))
	var last string
	var at int64
	for _, r := range rows {
		if r.Gap != nil {
			out, last = append(out, row{Seq: r.Gap.Lo, Gap: d.gap(r.Gap)}), ""
			continue
		}
		m, c := d.message(r.Message), r.Message.Shown()
		m.Same = last != "" && c.From.ID == last && c.Time-at < speech && !m.System
		if last, at = c.From.ID, c.Time; m.System {
			last = ""
		}
		out = append(out, row{Seq: m.Seq, Message: m})
	}
	return out
}

func (d drawer) gap(g *conversation.Gap) *gap {
	out := &gap{Kind: g.Kind, Range: "seq " + cli.Count(int64(g.Lo)), Why: g.Why, Proof: d.links.Proof(d.stream, g.Lo)}
	if g.Hi > g.Lo {
		out.Range = "seqs " + cli.Count(int64(g.Lo)) + " to " + cli.Count(int64(g.Hi))
	}
	messages := cli.Plural(g.Seqs(), "message")
	switch g.Kind {
	case conversation.GapExpired:
		out.Text = messages + " had expired before they could be archived"
		switch g.Evidence {
		case archive.EvidenceFinished:
			out.Why = "the service itself said that nothing older was stored"
		case archive.EvidenceProbe:
			out.Why = "probes of the range found nothing"
		}
	case conversation.GapAbsent:
		out.Text = messages + " did not come, though asked for twice"
	case conversation.GapPlaceholder:
		out.Text = messages + " not available: the service had a placeholder, for what is expired, deleted or never stored"
	case conversation.GapDamaged:
		out.Text = cli.Plural(g.Seqs(), "message") + " cannot be read: the chunk is damaged or missing"
	case conversation.GapBroken:
		out.Range, out.Proof = "from seq "+cli.Count(int64(g.Lo))+" on", ""
		out.Text = "the chain of manifests cannot be followed further: what comes here is not known"
	}
	return out
}

func (d drawer) message(m *conversation.Message) *message {
	c := m.Shown()
	out := &message{
		Seq: m.Seq, From: c.From, Hue: hue(c.From.ID), Time: d.clock(c.Time), Parts: d.parts(c.Parts), Proof: d.links.Proof(d.stream, m.Seq),
		System: c.Class == chat.ClassSystem || c.Class == chat.ClassMalformed, Class: classOf(c.Class),
	}
	out.NoText = len(out.Parts) == 0
	if c.Time == 0 && c.Stated != 0 {
		out.Marks = append(out.Marks, mark{"odd", "no usable time", "the message says " + cli.Count(c.Stated)})
	}
	if c.Class == chat.ClassRecalled {
		out.Marks = append(out.Marks, mark{"recalled", "recalled", "when it was archived it had been recalled already"})
	}
	d.change(m, out)
	return out
}

// change marks what a later look found.
func (d drawer) change(m *conversation.Message, out *message) {
	change := m.Change
	if change == nil {
		return
	}
	seen := "seen " + d.clock(change.SeenAt).Long
	say := func(text string) { out.Marks = append(out.Marks, mark{change.Kind, text, seen}) }
	label := "as it was archived"
	switch change.Kind {
	case archive.ChangeEdited:
		say("edited")
	case archive.ChangeRecalled:
		say("recalled later")
	case archive.ChangeDeleted:
		say("deleted later")
	case archive.ChangeMissing:
		say("no longer returned")
	case archive.ChangeFound:
		say("found later")
	default:
		say(change.Kind)
	}
	if before := m.Before(); before != nil {
		out.Before = &version{Label: label, Parts: d.parts(before.Parts)}
	}
}

func classOf(c chat.Class) string {
	switch c {
	case chat.ClassMalformed:
		return "malformed"
	case chat.ClassRecalled:
		return "recalled"
	case chat.ClassSystem:
		return "system"
	case chat.ClassPlaceholder:
		return "placeholder"
	default:
		return "message"
	}
}

// hue spreads senders over the colour circle.
func hue(id string) int {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return int(h%24) * 15
}

func (d drawer) parts(parts []conversation.Part) []part {
	out := make([]part, 0, len(parts))
	for i := range parts {
		out = append(out, d.part(&parts[i]))
	}
	return out
}

func (d drawer) part(p *conversation.Part) part {
	out := part{Kind: p.Kind, Type: p.Type, Text: p.Text, File: d.file(p.File), Thumb: d.file(p.Thumb), Abstract: p.Abstract, Missing: p.Missing}
	add := func(label, text string) {
		if text != "" {
			out.Data = append(out.Data, labelled{label, text})
		}
	}
	switch p.Kind {
	case conversation.PartSound, conversation.PartVideo:
		if p.Number > 0 {
			out.Seconds = (time.Duration(min(p.Number, 1e6)) * time.Second).String()
		}
	case conversation.PartFace:
		out.Text = "face " + cli.Count(p.Number)
		add("data", p.Data)
	case conversation.PartLocation:
		add("latitude, longitude", strings.Trim(p.Lat+", "+p.Lon, ", "))
	default:
		add("content", p.Data)
		add("extension", p.Ext)
	}
	if out.File != nil && out.File.State == "" {
		out.Show = shownAs(p)
	}
	if p.Kind == conversation.PartFile && out.File != nil {
		out.File.Name = p.Text
		if p.File.Bytes == 0 && p.Number > 0 {
			out.File.Size = cli.Bytes(p.Number) + " by the message"
		}
	}
	for _, q := range p.Merged {
		out.Merged = append(out.Merged, quoted{From: q.From, Hue: hue(q.From.ID), Time: d.clock(q.Time), Parts: d.parts(q.Parts)})
	}
	return out
}

// shownAs says with what element a stored file is shown. What its bytes are says who serves them: one that is none of it is not
// shown, and can be saved.
func shownAs(p *conversation.Part) string {
	kind := p.File.Type
	switch {
	case strings.Contains(kind, "svg"), strings.HasPrefix(kind, "text/"), strings.Contains(kind, "html"), strings.Contains(kind, "xml"):
		return ""
	case p.Kind == conversation.PartImage, p.Kind == conversation.PartFile && strings.HasPrefix(kind, "image/"):
		return "image"
	case p.Kind == conversation.PartSound:
		return "audio"
	case p.Kind == conversation.PartVideo:
		return "video"
	}
	return ""
}

func (d drawer) file(f *conversation.File) *file {
	if f == nil {
		return nil
	}
	out := &file{Name: f.Name, SHA: f.SHA256, Type: f.Type}
	if f.Stored() {
		out.Size = cli.Bytes(f.Bytes)
		if out.URL = d.links.File(f); out.URL == "" {
			out.State = "not beside this page"
		}
		return out
	}
	out.State = stateText(f.State)
	if f.Code != "" {
		out.State += " (" + f.Code + ")"
	}
	return out
}

func stateText(state string) string {
	switch state {
	case archive.MediaGone:
		return "gone before it could be fetched"
	case archive.MediaBanned:
		return "banned by the service, and not fetched"
	case archive.MediaRefused:
		return "refused"
	case archive.MediaTooLarge:
		return "too large to be archived"
	case archive.MediaExternal:
		return "on a foreign host, and not fetched"
	case archive.MediaNoURL:
		return "the message names no address"
	case archive.MediaFailed:
		return "could not be fetched"
	case archive.MediaUnread:
		return "its chunk could not be read"
	case conversation.StateUnknown:
		return "not known what became of it"
	default:
		return "not fetched yet"
	}
}
