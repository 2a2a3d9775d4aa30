package demo

import (
	"encoding/json"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/media/sample"
)

// betweenFiles is how many texts of the excerpt there are for each that has a file, at most.
const betweenFiles = 40

// attached is the file of a message, and what must become of its link.
type attached struct {
	file  *mediaemu.File
	state string
}

// exhibit is a kind of file that people send.
type exhibit struct {
	spec  func(n uint64) mediaemu.Spec
	show  func(chatemu.Media) json.RawMessage // the element of a message
	state string                              // that its link must end in
}

// exhibits are what the demo shows, in the order in which they come up again and again.
func exhibits() []exhibit {
	png := func(n uint64) mediaemu.Spec {
		return mediaemu.Spec{Content: mediaemu.Bytes(sample.PNG(n)), Type: "image/png"}
	}
	jpeg := func(n uint64) mediaemu.Spec {
		return mediaemu.Spec{Content: mediaemu.Bytes(sample.JPEG(n)), Type: "image/jpeg"}
	}
	picture := func(m chatemu.Media) json.RawMessage { return chatemu.ImageElem(m, m, m) }
	return []exhibit{
		{png, picture, archive.MediaStored},
		{jpeg, picture, archive.MediaStored},
		{func(n uint64) mediaemu.Spec {
			return mediaemu.Spec{Content: mediaemu.Bytes(sample.WAV(n)), Type: "audio/wav", Name: "voice.wav"}
		}, chatemu.SoundElem, archive.MediaStored},
		{func(n uint64) mediaemu.Spec {
			return mediaemu.Spec{Content: mediaemu.Bytes(sample.PDF(fmt.Sprintf("Page %d of the manual", n))), Type: "application/pdf", Name: fmt.Sprintf("manual-%d.pdf", n)}
		}, chatemu.FileElem, archive.MediaStored},
		{jpeg, func(m chatemu.Media) json.RawMessage {
			const seq, at = 7, 1_189_000_000
			return chatemu.RelayElem(chatemu.Relayed{From: "ubotu", Seq: seq, Time: at, Body: chatemu.MsgBody(picture(m))})
		}, archive.MediaStored},
		{func(n uint64) mediaemu.Spec { f := png(n); f.Access = mediaemu.Signed403; return f }, picture, archive.MediaStored},
		{func(n uint64) mediaemu.Spec { f := jpeg(n); f.ExpiresAt = time.Unix(1, 0); return f }, picture, archive.MediaGone},
	}
}

// attach puts files on the host, and on messages here and there: the same ones for the same content, in the same order, so
// that at the same address they have the same URLs. Without files the content is left as it is.
func (c *content) attach(host *mediaemu.Server) error {
	if !c.hasFiles {
		return nil
	}
	all, texts := exhibits(), 0
	for _, g := range c.groups {
		for i := range g.messages {
			texts += isText(g.messages[i])
		}
	}
	step := max(1, min(betweenFiles, texts/len(all)))
	text := 0
	for k := range c.groups {
		g := &c.groups[k]
		g.files = make(map[chat.Seq]attached)
		for i := range g.messages {
			if isText(g.messages[i]) == 0 {
				continue
			}
			if text++; text%step != step/2 {
				continue
			}
			n := text / step
			x := all[n%len(all)]
			f := host.Add(x.spec(uint64(n))) //nolint:gosec // counts up
			m := chatemu.Media{URL: f.URL(), Name: f.Name, Size: f.Size(), Width: sample.Side, Height: sample.Side, Seconds: 1}
			if err := extend(&g.messages[i], x.show(m)); err != nil {
				return err
			}
			g.files[chat.Seq(i+1)] = attached{f, x.state}
		}
	}
	return nil
}

func isText(m chatemu.Message) int {
	if m.Kind == chatemu.KindSystem {
		return 0
	}
	return 1
}

// extend adds an element to a message.
func extend(m *chatemu.Message, element json.RawMessage) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(m.Body, &elements); err != nil {
		return fmt.Errorf("read a message: %w", err)
	}
	m.Body = chatemu.MsgBody(append(elements, element)...)
	return nil
}

// storable returns how many files an archive of the content has.
func (c *content) storable() (n int) {
	for _, g := range c.groups {
		for _, a := range g.files {
			if a.state == archive.MediaStored {
				n++
			}
		}
	}
	return n
}
