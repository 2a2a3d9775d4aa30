package chatapi

import (
	"context"
	"fmt"

	"chatexport/internal/chat"
)

// pageRequest is the body of group_msg_get_simple. ReqMsgSeq is left out to ask for the newest page: the service reads
// an explicit 0 as if it were absent.
type pageRequest struct {
	GroupID         string `json:"GroupId"`
	TopicID         string `json:"TopicId,omitempty"`
	ReqMsgSeq       int64  `json:"ReqMsgSeq,omitempty"`
	ReqMsgNumber    int    `json:"ReqMsgNumber"`
	WithRecalledMsg int    `json:"WithRecalledMsg"`
}

// Page reads one page of a stream's history, recalled messages included. An answer that cannot be read wraps
// chat.ErrMalformed; what its elements mean, and whether they are those that were asked for, is the caller's to judge.
func (c *Client) Page(ctx context.Context, query chat.Query) (chat.Page, error) {
	const command = "group_msg_get_simple"
	if query.Seq < 0 || query.Seq > chat.MaxSeq || query.Number < 1 || query.Number > chat.PageSize {
		return chat.Page{}, fmt.Errorf("%s: the service knows no seq %d, or no page of %d", command, query.Seq, query.Number)
	}
	x, err := c.post(ctx, groupService, command, pageRequest{
		GroupID:         query.Stream.GroupID,
		TopicID:         query.Stream.TopicID,
		ReqMsgSeq:       int64(query.Seq),
		ReqMsgNumber:    query.Number,
		WithRecalledMsg: 1,
	})
	if err != nil {
		return chat.Page{}, err
	}
	page, envelope, err := chat.ScanPage(x.body)
	s := status{action: envelope.ActionStatus, code: envelope.ErrorCode, info: envelope.ErrorInfo}
	if err := c.verdict(x, s, err); err != nil {
		return chat.Page{}, err
	}
	return page, nil
}
