package chatapi

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"chatexport/internal/chat"
)

// MaxGroupInfos is the most groups that get_group_info takes at once (Chat documentation, get_group_info).
const MaxGroupInfos = 50

type responseFilter struct {
	GroupBaseInfoFilter []string
}

// infoRequest is the body of get_group_info. Without a filter the members come, too, and a big group exceeds the size
// of an answer.
type infoRequest struct {
	GroupIDList    []string `json:"GroupIdList"`
	ResponseFilter responseFilter
}

// Group reads when a stream was created, how new its newest message is, and which seq its next message gets.
func (c *Client) Group(ctx context.Context, stream chat.Stream) (chat.Facts, error) {
	if stream.TopicID != "" {
		return c.oneTopic(ctx, stream)
	}
	infos, err := c.groupInfos(ctx, []string{stream.GroupID}, []string{"CreateTime", "NextMsgSeq", "LastMsgTime"})
	if err != nil {
		return chat.Facts{}, err
	}
	return infos[0], infos[0].Err
}

// GroupInfos reads facts about up to MaxGroupInfos groups, and returns the Facts for each id, in the order of ids.
// A group that is gone is no error of the call: it has its own Err.
func (c *Client) GroupInfos(ctx context.Context, ids []string) ([]chat.Facts, error) {
	return c.groupInfos(ctx, ids, []string{
		"Type", "Name", "Owner_Account", "CreateTime", "LastMsgTime", "NextMsgSeq", "MemberNum", "SupportTopic",
	})
}

func (c *Client) groupInfos(ctx context.Context, ids, filter []string) ([]chat.Facts, error) {
	answer, x, err := c.answer(ctx, groupService, "get_group_info", infoRequest{
		GroupIDList:    ids,
		ResponseFilter: responseFilter{GroupBaseInfoFilter: filter},
	})
	if err != nil {
		return nil, err
	}
	items, err := answer.list("GroupInfo")
	if err != nil {
		return nil, c.malformed(x, err)
	}
	byID := make(map[string]chat.Facts, len(items))
	for _, item := range items {
		info, err := c.groupInfo(x, item)
		if err != nil {
			return nil, c.malformed(x, err)
		}
		if info.GroupID == "" && len(ids) == 1 {
			info.GroupID = ids[0] // an item about a failure may come without its id
		}
		byID[info.GroupID] = info
	}
	infos := make([]chat.Facts, len(ids))
	for i, id := range ids {
		info, ok := byID[id]
		if !ok {
			left := fmt.Errorf("%w: GroupInfo leaves out a group that was asked for", chat.ErrMalformed)
			info = chat.Facts{Stream: chat.Stream{GroupID: id}, Err: c.malformed(x, left)}
		}
		infos[i] = info
	}
	return infos, nil
}

func (c *Client) groupInfo(x *exchange, item object) (chat.Facts, error) {
	info := chat.Facts{Stream: chat.Stream{GroupID: item.text("GroupId")}}
	failure, err := c.itemError(x, item)
	if err != nil || failure != nil {
		info.Err = failure
		return info, err
	}
	info.Type, info.Name, info.Owner = item.text("Type"), item.text("Name"), item.text("Owner_Account")
	info.NoTopics = item.denied("SupportTopic")
	return info, cmp.Or(item.facts(&info), natural(item, "MemberNum", math.MaxInt64, &info.Members))
}

// itemError judges one item of a list: the ErrorCode of the whole answer says nothing about it. The second error is
// for an item that cannot be read.
func (c *Client) itemError(x *exchange, item object) (failure, unread error) {
	number, err := item.integer("ErrorCode")
	if err != nil || number == 0 {
		return nil, err
	}
	s := status{code: number, info: item.text("ErrorInfo")}
	return c.verdict(x, s, nil), nil
}

func (c *Client) malformed(x *exchange, err error) error {
	return &Error{Op: x.op, HTTPStatus: x.status, Random: x.random, Err: err}
}
