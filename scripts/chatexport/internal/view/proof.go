package view

import (
	"errors"
	"fmt"

	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pages"
)

// proof shows why a message may be believed.
func (s *server) proof(v *visit) error {
	stream, err := v.stream()
	if err != nil {
		return err
	}
	seq, err := parseSeq(v.r.FormValue("seq"))
	if err != nil {
		return err
	}
	talk, err := s.reader.Open(v.ctx, stream, fresh)
	if err != nil {
		return err
	}
	p, err := talk.Proof(v.ctx, seq)
	if err != nil {
		if seq < talk.Genesis.FirstLo && errors.Is(err, conversation.ErrNoSeq) {
			return &wrong{404, fmt.Sprintf("Seq %d had expired when the archive began: its genesis says so (first_lo %d, evidence %s, %d probes).",
				seq, talk.Genesis.FirstLo, talk.Genesis.ExpiredBelow.Evidence, talk.Genesis.ExpiredBelow.Probes)}
		}
		return err
	}
	page := pages.Proof{Links: v.links, Talk: talk, Seq: seq, Held: p, Name: name(s.of(v.ctx, stream), stream), Commands: s.commands(stream, seq, p)}
	if page.Day, _, err = talk.Find(v.ctx, seq, v.zone); err != nil {
		return err
	}
	page.Frame = s.frame(v, fmt.Sprintf("Proof of seq %d, %s", seq, pages.Plain(page.Name)))
	return s.pages.Proof(v.w, page)
}

// commands are what somebody types who does not believe this program, or only the parts of it that he has read.
func (s *server) commands(stream chat.Stream, seq chat.Seq, p *conversation.Proof) []pages.Step {
	id := cli.ShellQuote(cli.StreamName(stream))
	steps := []pages.Step{
		{Says: "The whole chain of this conversation, and every byte of it:", Command: "chatexport verify --read" + s.source + " " + id},
		{Says: "This message as it is archived:", Command: fmt.Sprintf("chatexport cat --from-seq %d --to-seq %d%s %s", seq, seq, s.source, id)},
	}
	if p.Chunk.SHA256 != "" {
		steps = append(steps, pages.Step{Says: "Without this program, in the folder or a copy of the bucket: the chunk's sum is the one that the manifest names,", Command: fmt.Sprintf("echo '%s  %s' | sha256sum -c", p.Chunk.SHA256, p.Chunk.Key)})
	}
	if p.Line > 0 {
		steps = append(steps, pages.Step{Says: "and this is its line, and the line's sum:", Command: fmt.Sprintf("zcat %s | sed -n %dp\nzcat %s | sed -n %dp | tr -d '\\n' | sha256sum", p.Chunk.Key, p.Line, p.Chunk.Key, p.Line)})
	}
	if p.Manifest != "" {
		steps = append(steps, pages.Step{Says: "The manifest's sum is the one that the next manifest, a certificate or the log names:", Command: "sha256sum " + p.Manifest})
	}
	for _, key := range p.Files() {
		steps = append(steps, pages.Step{Says: "A file's sum is its name:", Command: "sha256sum " + key})
	}
	return steps
}
