package pages

import (
	"io"

	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/scripts/chatexport/internal/cli"
)

// Proof is the page of a message's proof.
type Proof struct {
	Frame

	Links    Links
	Name     string
	Talk     *conversation.Conversation
	Seq      chat.Seq
	Held     *conversation.Proof
	Commands []Step
	Day      conversation.Date // where it stands; zero for no link
}

// Step is a command, and what it shows.
type Step struct{ Says, Command string }

// Proof writes the page of a message's proof.
func (p *Pages) Proof(w io.Writer, v Proof) error {
	d := drawer{v.Talk.Stream, v.Links, v.Zone}
	rows := d.rows([]conversation.Row{v.Held.Row})
	for i := range rows { // it is this page
		if m := rows[i].Message; m != nil {
			m.Proof = ""
		} else {
			rows[i].Gap.Proof = ""
		}
	}
	view := struct {
		Proof
		ID, Back, Was, Now string
		Raw                string
		Rows               []row
		Seen               func(int64) string
		Files              []string
	}{Proof: v, ID: cli.StreamName(v.Talk.Stream), Rows: rows, Seen: func(s int64) string { return d.clock(s).Long }, Files: v.Held.Files()}
	if !v.Day.IsZero() {
		view.Back = v.Links.Day(v.Talk.Stream, v.Day, v.Seq)
	}
	if m := v.Held.Message; m != nil {
		if m.Archived != nil {
			view.Raw = string(m.Archived.Raw)
		}
		if m.Change != nil {
			view.Was = m.Change.Was
			if m.Change.Now != nil {
				view.Now = string(m.Change.Now.Raw)
			}
		}
	}
	return p.write(w, "proof", view)
}
