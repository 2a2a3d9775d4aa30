package chatemu

// Services and commands that exist here.
const (
	serviceGroup   = "group_open_http_svc"
	serviceMillion = "million_group_open_http_svc"
	serviceFiles   = "im_cos_msg"

	commandPage      = "group_msg_get_simple"
	commandGroupInfo = "get_group_info"
	commandGroupList = "get_appid_group_list"
	commandTopics    = "get_topic"
	commandSignURLs  = "get_cos_sig"
)

// Error codes of the service (Chat documentation, error codes).
const (
	codeUnknownCommand = 10003
	codeParameter      = 10004
	codeTooOften       = 10006
	codePermission     = 10007
	codeNoGroup        = 10010
	codeBadGroup       = 10015
	codeTooLarge       = 10018
	codeTopicsOff      = 11000
	codeHTTPParse      = 60002
	codeJSONParse      = 60003
	codeNoIdentifier   = 60004
	codeBadApp         = 60006
	codeThrottled      = 60007
	codeTimeout        = 60008
	codeNotAdmin       = 60010
	codeNoApp          = 60012
	codeBadIP          = 60021
	codeSigExpired     = 70001
	codeSigEmpty       = 70002
	codeSigBroken      = 70003
	codeSigWrong       = 70009
	codeSigIdentifier  = 70013
	codeSigApp         = 70014
	codeOtherRegion    = 70020
	codeSigTooOften    = 70050
	codeNoTopic        = 110003
)

func knownService(service string) bool {
	return service == serviceGroup || service == serviceMillion || service == serviceFiles
}

// ErrorText is the ErrorInfo of a code. The service's own texts vary; only 60002 and 60008 are known word for word.
func ErrorText(code int) string {
	switch code {
	case 0:
		return ""
	case codeHTTPParse:
		return "HTTP parse Error"
	case codeTimeout:
		return "service timeout or request format error,please check and try again"
	case 10002:
		return "internal error"
	case codeUnknownCommand:
		return "command is illegal"
	case codeParameter:
		return "invalid parameter"
	case codeTooOften:
		return "operation too frequent"
	case codePermission:
		return "no permission"
	case codeNoGroup:
		return "group not exist or has been dismissed"
	case codeBadGroup:
		return "group id is invalid"
	case codeTooLarge:
		return "response size exceeds limit"
	case codeTopicsOff:
		return "community topics are not supported by the current package"
	case codeNoTopic:
		return "topic not exist"
	default:
		return gatewayText(code)
	}
}

// gatewayText has the texts of the codes that the gateway and the account system answer.
func gatewayText(code int) string {
	switch code {
	case codeJSONParse:
		return "HTTP JSON parse error"
	case codeNoIdentifier:
		return "identifier or usersig is invalid"
	case codeBadApp:
		return "sdkappid is invalid"
	case codeThrottled, 60011, 60018, 60019:
		return "request frequency exceeds limit, please try again later"
	case codeNotAdmin:
		return "the account is not an app administrator"
	case codeNoApp:
		return "sdkappid is missing"
	case codeBadIP:
		return "the source ip is not allowed"
	case codeSigExpired:
		return "usersig expired"
	case codeSigEmpty:
		return "usersig is empty"
	case codeSigBroken:
		return "usersig is illegal"
	case codeSigWrong:
		return "usersig verification failed"
	case codeSigIdentifier:
		return "identifier does not match usersig"
	case codeSigApp:
		return "sdkappid does not match usersig"
	case codeOtherRegion:
		return "sdkappid not found"
	case codeSigTooOften:
		return "usersig verification failed too often, please try again later"
	case 70052:
		return "usersig is no longer valid"
	default:
		return "error"
	}
}
