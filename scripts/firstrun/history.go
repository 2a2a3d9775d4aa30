package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"chatexport/internal/chat"
	"chatexport/internal/config"
)

const (
	// recallPages is how far back recalled messages are looked for.
	recallPages = 10

	burst   = 100 // calls at the same moment
	tooFast = "Which code says that calls come too fast?"
)

// askChat asks how the Chat service takes the points that its documentation leaves open.
func askChat(ctx context.Context, r *report, c config.Config, o options) error {
	client, err := newChat(c)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	h := &history{report: r, client: client, group: o.group, files: newFiles(r, c, client)}
	defer h.files.plain.CloseIdleConnections()
	if o.group == "" {
		r.answer(unasked, "How does the history of a group come?", "--group names none", "give one that has messages; best one with files, with recalled and with expired ones.")
	} else if err := h.ask(ctx); err != nil {
		return err
	}
	h.files.expired(ctx, o.expired)
	h.others(ctx, o)
	if o.overload && o.group != "" {
		h.overload(ctx)
	} else {
		r.answer(unasked, tooFast, "--overload and --group are not both set", "60007, 60011, 60018, 60019 and 10006 are known, and slow the function down.")
	}
	return nil
}

type history struct {
	*report

	client *chatClient
	group  string
	newest chat.Seq
	files  *files
}

func (h *history) page(ctx context.Context, fields map[string]any) (chat.Page, error) {
	all := map[string]any{"GroupId": h.group, "ReqMsgNumber": chat.PageSize, "WithRecalledMsg": 1}
	for name, value := range fields {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	return h.client.ask(ctx, all)
}

// ask asks about one group. An error means that nothing of it can be read.
func (h *history) ask(ctx context.Context) error {
	first, err := h.page(ctx, nil)
	if err != nil {
		return fmt.Errorf("read the newest page of %s: %w", h.group, err)
	}
	h.newest = first.Newest()
	h.answer(asBuilt, "Can the newest page be read?", shape(first, nil)+fmt.Sprintf(", %s, gzip %v", h.client.swap.proto, h.client.swap.zip), "key, region and admin account are right; connections are kept either way.")
	if h.newest == 0 {
		h.answer(unasked, "How does its history come?", "the group has no messages", "send some, and start this again.")
		return nil
	}
	if err := h.files.ask(ctx, h, first); err != nil {
		return err
	}
	h.counting(first)
	h.zero(ctx, first)
	h.large(ctx)
	h.above(ctx)
	h.recalled(ctx)
	h.oldest(ctx)
	return nil
}

func (h *history) counting(first chat.Page) {
	const question = "Does ReqMsgNumber count seqs, or messages?"
	span := int(first.Newest() - lowest(first) + 1)
	switch {
	case first.Finished == chat.FinishedTruncated && len(first.Elements) < chat.PageSize:
		h.answer(fine, question, "the page was cut for its size", "unknown for this group; the code goes by the smallest seq that came, and asks again for what is missing.")
	case len(first.Elements) == span:
		h.answer(asBuilt, question, fmt.Sprintf("%d elements cover %d seqs", len(first.Elements), span), "no seq is missing, so both come to the same.")
	case span > chat.PageSize:
		h.answer(fine, question, fmt.Sprintf("%d elements cover %d seqs", len(first.Elements), span), "messages: holes are left out. The code asks again for the missing seqs, which costs calls.")
	default:
		h.answer(fine, question, fmt.Sprintf("%d elements cover %d seqs", len(first.Elements), span), "seqs, and holes are left out. The code asks again for the missing ones.")
	}
}

func (h *history) zero(ctx context.Context, first chat.Page) {
	const question = "What does ReqMsgSeq 0 mean?"
	const never = "the code never sends it: it leaves ReqMsgSeq out for the newest page."
	p, err := h.page(ctx, map[string]any{"ReqMsgSeq": 0})
	switch {
	case err != nil:
		h.answer(fine, question, shape(p, err), "it is refused; "+never)
	case len(p.Elements) == 0:
		h.answer(fine, question, shape(p, err), "nothing; "+never)
	case p.Newest() >= first.Newest():
		h.answer(asBuilt, question, shape(p, err), "the newest page, so a walk that went on at 0 would never end; "+never)
	default:
		h.answer(look, question, shape(p, err), "something unexpected; "+never)
	}
}

func (h *history) large(ctx context.Context) {
	const question = "What comes when 21 messages are asked for?"
	p, err := h.page(ctx, map[string]any{"ReqMsgNumber": chat.PageSize + 1})
	switch {
	case err != nil:
		h.answer(fine, question, shape(p, err), "it is refused; the code never asks for more than 20.")
	case len(p.Elements) > chat.PageSize:
		h.answer(look, question, shape(p, err), "pages could be larger than documented, and an export take fewer calls.")
	default:
		h.answer(asBuilt, question, shape(p, err), "20 at most; the code never asks for more.")
	}
}

func (h *history) above(ctx context.Context) {
	const question = "What comes for a window above the newest message?"
	p, err := h.page(ctx, map[string]any{"ReqMsgSeq": h.newest + 1000, "ReqMsgNumber": 5})
	const never = "the code never asks above the head."
	switch {
	case err != nil:
		h.answer(fine, question, shape(p, err), "it is refused; "+never)
	case len(p.Elements) == 0:
		h.answer(fine, question, shape(p, err), "an interval that holds nothing; "+never)
	default:
		h.answer(asBuilt, question, shape(p, err), "it is moved down to the newest; "+never)
	}
}

// recalled compares the newest pages with and without recalled messages.
func (h *history) recalled(ctx context.Context) {
	const question = "How do recalled messages come?"
	var with, without, bodies, elements int
	for n, top := 0, h.newest; n < recallPages && top > 0; n++ {
		p, err := h.page(ctx, map[string]any{"ReqMsgSeq": top})
		if err != nil {
			h.answer(look, question, shape(p, err), "the pages could not be read.")
			return
		}
		plain, err := h.page(ctx, map[string]any{"ReqMsgSeq": top, "WithRecalledMsg": nil})
		if err != nil {
			h.answer(look, question, shape(plain, err), "the pages could not be read.")
			return
		}
		for i := range p.Elements {
			if e := &p.Elements[i]; e.Place == chat.PlaceRecalled {
				with++
				if bytes.Contains(e.JSON, []byte(`"MsgType"`)) {
					bodies++
				}
			}
		}
		for i := range plain.Elements {
			if plain.Elements[i].Place == chat.PlaceRecalled {
				without++
			}
		}
		elements += len(p.Elements) - len(plain.Elements)
		if top = lowest(p) - 1; len(p.Elements) == 0 {
			break
		}
	}
	seen := fmt.Sprintf("%d marked when asked for, %d with their text; %d marked otherwise, %d elements fewer", with, bodies, without, elements)
	switch {
	case with == 0:
		h.answer(unasked, question, "none in the newest pages", "recall a message in this group, and start this again.")
	case bodies > 0:
		h.answer(look, question, seen, "the archive holds the text of recalled messages: who may read the bucket can read them.")
	default:
		h.answer(asBuilt, question, seen, "the archive says that a message was recalled, and has no text of it.")
	}
}

func (h *history) oldest(ctx context.Context) {
	const question = "What comes below the oldest message that is still stored?"
	p, err := h.page(ctx, map[string]any{"ReqMsgSeq": min(chat.PageSize, h.newest)})
	seen := shape(p, err)
	switch {
	case err != nil:
		h.answer(look, question, seen, "the oldest seqs are refused: an export begins above them, and says so. Keep this output.")
	case retained(p) > 0:
		h.answer(unasked, question, seen, "nothing has expired in this group yet; ask again with an older one.")
	case p.Finished == chat.FinishedExpired:
		h.answer(asBuilt, question, seen, "proof that all this has expired; a first export finds the floor in some dozens of calls.")
	default:
		h.answer(fine, question, seen, "no proof, so a first export probes the void (EXPORT_VOID=probe) and records that; EXPORT_VOID=exhaustive walks all of it.")
	}
}

// others asks about groups of other kinds.
func (h *history) others(ctx context.Context, o options) {
	const room = "What does the history of an AVChatRoom say?"
	if o.avchatroom == "" {
		h.answer(unasked, room, "--avchatroom names none", "10004, 10007 and an empty page are expected; a sweep leaves such groups out.")
	} else {
		p, err := h.client.ask(ctx, map[string]any{"GroupId": o.avchatroom, "ReqMsgNumber": chat.PageSize})
		switch {
		case err == nil && len(p.Elements) > 0:
			h.answer(look, room, shape(p, err), "it has a history after all.")
		case err == nil, errors.Is(err, chat.ErrUnsupported):
			h.answer(asBuilt, room, shape(p, err), "an export of it ends at once and says so.")
		default:
			h.answer(look, room, shape(p, err), "this code is not known for it: an export would try again for a while before it gives up.")
		}
	}
	const community = "What does a community with topics say without a topic?"
	if o.community == "" {
		h.answer(unasked, community, "--community names none", "a sweep exports its topics, and the community itself, if that has messages.")
		return
	}
	p, err := h.client.ask(ctx, map[string]any{"GroupId": o.community, "ReqMsgNumber": chat.PageSize})
	topics, topicsErr := h.client.Topics(ctx, o.community)
	seen := shape(p, err) + fmt.Sprintf("; %d topics", len(topics))
	switch {
	case topicsErr != nil:
		h.answer(look, community, seen+": "+shape(chat.Page{}, topicsErr), "the topics cannot be listed: name them in tasks of their own.")
	case err != nil && !errors.Is(err, chat.ErrUnsupported) && !errors.Is(err, chat.ErrGone):
		h.answer(look, community, seen, "this code is not known for it; its topics are exported all the same.")
	default:
		h.answer(asBuilt, community, seen, "its topics are streams of their own; what comes without one is another stream, or nothing.")
	}
}

func (h *history) overload(ctx context.Context) {
	overload(ctx, h.report, tooFast, func(ctx context.Context) error {
		_, err := h.client.Page(ctx, chat.Query{Stream: chat.Stream{GroupID: h.group}, Number: 1})
		return err
	})
	if len(h.files.byHost) > 0 {
		h.files.overload(ctx)
	}
}
