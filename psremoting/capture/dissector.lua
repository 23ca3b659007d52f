-- PowerShell Remoting for Wireshark: fragments and messages of [MS-PSRP], out-of-process packets
-- on TCP, and the streams of WS-Man, also those that Wireshark has decrypted.
-- Written by `psrp wireshark`; the tables are those of psremoting @VERSION@.

local MESSAGES = {@MESSAGES@}
local DESTINATIONS = {@DESTINATIONS@}
local POOL_STATES = {@POOL_STATES@}
local PIPELINE_STATES = {@PIPELINE_STATES@}
local HOST_METHODS = {@HOST_METHODS@}

local MAX_TEXT = 32 * 1024 * 1024
local MAX_MESSAGE_SHOWN = 1024 * 1024
local FRAGMENT_HEADER, MESSAGE_HEADER = 21, 40

local psrp = Proto("psrp", "PowerShell Remoting Protocol")
local f = {
  object_id = ProtoField.uint64("psrp.object_id", "Object", base.DEC),
  fragment_id = ProtoField.uint64("psrp.fragment_id", "Fragment", base.DEC),
  flags = ProtoField.uint8("psrp.flags", "Flags", base.HEX),
  first = ProtoField.bool("psrp.start", "Start", 8, nil, 0x01),
  last = ProtoField.bool("psrp.end", "End", 8, nil, 0x02),
  length = ProtoField.uint32("psrp.length", "Length", base.DEC),
  destination = ProtoField.uint32("psrp.destination", "Destination", base.DEC, DESTINATIONS),
  message_type = ProtoField.uint32("psrp.message_type", "Message type", base.HEX, MESSAGES),
  rpid = ProtoField.guid("psrp.rpid", "Runspace pool"),
  pid = ProtoField.guid("psrp.pid", "Pipeline"),
  data = ProtoField.string("psrp.data", "Data"),
  pool_state = ProtoField.uint32("psrp.pool_state", "Pool state", base.DEC, POOL_STATES),
  pipeline_state = ProtoField.uint32("psrp.pipeline_state", "Pipeline state", base.DEC, PIPELINE_STATES),
  method = ProtoField.uint32("psrp.host_method", "Host method", base.DEC, HOST_METHODS),
  part = ProtoField.bytes("psrp.fragment_data", "Fragment data"),
  stream = ProtoField.string("psrp.stream", "Stream"),
  command = ProtoField.string("psrp.command_id", "Command"),
  packet = ProtoField.string("psrp.packet", "Packet"),
  packed = ProtoField.bytes("psrp.compressed", "Compressed (xpress) or other data"),
}
psrp.fields = f

-- A fragment id of 2^63 or more, or an object id of 0, is no fragment.
local function is_fragment(tvb, at)
  if tvb:len() - at < FRAGMENT_HEADER then return false end
  local object = tvb(at, 8):uint64()
  local flags, length = tvb(at + 16, 1):uint(), tvb(at + 17, 4):uint()
  return object > UInt64(0) and object:higher() < 0x10000 and flags < 4
    and length <= tvb:len() - at - FRAGMENT_HEADER
end

local function add_value(tree, field, range, text, pattern)
  local number = tonumber(text:match(pattern))
  if number then tree:add(field, range, number) end
end

-- The message of a first fragment: its header, and its body as far as this fragment holds it.
local function message(tvb, at, length, tree, names)
  local kind = tvb(at + 4, 4):le_uint()
  local name = MESSAGES[kind] or string.format("0x%08x", kind)
  local branch = tree:add(psrp, tvb(at, length), "Message " .. name)
  names[#names + 1] = name
  branch:add_le(f.destination, tvb(at, 4))
  branch:add_le(f.message_type, tvb(at + 4, 4))
  branch:add_le(f.rpid, tvb(at + 8, 16))
  branch:add_le(f.pid, tvb(at + 24, 16))
  local size = math.min(length - MESSAGE_HEADER, MAX_MESSAGE_SHOWN)
  if size <= 0 then return end
  local range = tvb(at + MESSAGE_HEADER, size)
  local text = range:string(ENC_UTF_8)
  branch:add(f.data, range, text)
  if name == "RUNSPACEPOOL_STATE" then
    add_value(branch, f.pool_state, range, text, '<I32 N="RunspaceState">(%d+)</I32>')
  elseif name == "PIPELINE_STATE" then
    add_value(branch, f.pipeline_state, range, text, '<I32 N="PipelineState">(%d+)</I32>')
  elseif name:find("_HOST_") then
    add_value(branch, f.method, range, text, '<Obj N="mi".-<I32>(%d+)</I32>')
  end
end

-- All fragments of a buffer; the names of the messages that begin in it are added to `names`.
local function fragments(tvb, tree, names)
  local at = 0
  while is_fragment(tvb, at) do
    local flags, length = tvb(at + 16, 1):uint(), tvb(at + 17, 4):uint()
    local branch = tree:add(psrp, tvb(at, FRAGMENT_HEADER + length), "Fragment")
    branch:add(f.object_id, tvb(at, 8))
    branch:add(f.fragment_id, tvb(at + 8, 8))
    local bits = branch:add(f.flags, tvb(at + 16, 1))
    bits:add(f.first, tvb(at + 16, 1))
    bits:add(f.last, tvb(at + 16, 1))
    branch:add(f.length, tvb(at + 17, 4))
    local body = at + FRAGMENT_HEADER
    if flags % 2 == 1 and length >= MESSAGE_HEADER then
      message(tvb, body, length, branch, names)
    elseif length > 0 then
      branch:add(f.part, tvb(body, length))
    end
    at = body + length
  end
  if at < tvb:len() then tree:add(f.packed, tvb(at)) end
end

local function decoded(text)
  local clean = text:gsub("%s+", "")
  if #clean < 4 or clean:find("[^A-Za-z0-9+/=]") then return nil end
  local bytes = ByteArray.new(clean, true):base64_decode()
  if bytes:len() == 0 then return nil end
  return bytes:tvb("PSRP fragments")
end

local function attribute(text, name)
  return text:match("%f[%w]" .. name .. "%s*=%s*[\"']([^\"']*)[\"']")
end

local function show_names(pinfo, names)
  if #names > 0 then pinfo.cols.info:append(" [" .. table.concat(names, ", ") .. "]") end
end

-- WS-Man: the elements that carry fragments.
local ELEMENTS = { Stream = true, Arguments = true, creationXml = true, connectXml = true,
                   connectResponseXml = true }

local function envelope_text(tvb)
  local range = tvb(0, math.min(tvb:len(), MAX_TEXT))
  local first, second = tvb(0, 1):uint(), tvb:len() > 1 and tvb(1, 1):uint() or 0
  if first == 0xFF and second == 0xFE or first == 0x3C and second == 0 then
    return range:le_ustring()
  end
  return range:string(ENC_UTF_8)
end

local function envelope(tvb, pinfo, tree)
  if tvb:len() < 8 then return end
  local text, names, branch = envelope_text(tvb), {}, nil
  for tag, attributes, content in text:gmatch("<([%w_.:-]+)([^<>]*)>([^<]+)</") do
    local name = tag:match("([^:]+)$")
    if ELEMENTS[name] then
      local data = decoded(content)
      if data then
        branch = branch or tree:add(psrp, tvb(), "PowerShell Remoting Protocol")
        local each = branch:add(psrp, tvb(), name)
        local stream, command = attribute(attributes, "Name"), attribute(attributes, "CommandId")
        if stream then each:add(f.stream, stream) end
        if command then each:add(f.command, command) end
        fragments(data, each, names)
      end
    end
  end
  show_names(pinfo, names)
end

local media = DissectorTable.get("media_type")
local wsman = Proto("psrp_wsman", "PowerShell Remoting in WS-Management")
local before = media:get_dissector("application/soap+xml") or Dissector.get("xml")

function wsman.dissector(tvb, pinfo, tree)
  if before then before:call(tvb, pinfo, tree) end
  envelope(tvb, pinfo, tree)
  return tvb:len()
end
media:set("application/soap+xml", wsman)

-- Out-of-process packets: one XML element a line, as over named pipes, sockets and SSH.
local PACKETS = { Data = true, DataAck = true, Command = true, CommandAck = true, Signal = true,
                  SignalAck = true, Close = true, CloseAck = true }
local outofproc = Proto("psrp_packets", "PowerShell Remoting packets (out of process)")

local function line_end(tvb, at)
  local bytes = tvb(at):raw()
  local found = bytes:find("\n", 1, true)
  return found and at + found or nil
end

function outofproc.dissector(tvb, pinfo, tree)
  local at, names = 0, {}
  pinfo.cols.protocol = "PSRP"
  local root = tree:add(outofproc, tvb(), "PowerShell Remoting packets")
  while at < tvb:len() do
    local stop = line_end(tvb, at)
    if not stop then
      pinfo.desegment_offset = at
      pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
      break
    end
    local range = tvb(at, stop - at)
    local text = range:raw()
    local name = text:match("^<(%w+)")
    if name and PACKETS[name] then
      local branch = root:add(outofproc, range, name)
      branch:add(f.packet, range, name)
      local stream, guid = attribute(text, "Stream"), attribute(text, "PSGuid")
      if stream then branch:add(f.stream, range, stream) end
      if guid then branch:add(f.command, range, guid) end
      local data = name == "Data" and decoded(text:match("^<[^>]*>([^<]*)<") or "") or nil
      if data then fragments(data, branch, names) else names[#names + 1] = name end
    end
    at = stop
  end
  show_names(pinfo, names)
  return tvb:len()
end

local function looks_like_packets(tvb, pinfo, tree)
  if tvb:len() < 8 or tvb(0, 1):uint() ~= 0x3C then return false end
  local text = tvb(0, math.min(tvb:len(), 80)):raw()
  local name = text:match("^<(%w+) ")
  if not (name and PACKETS[name] and text:find("PSGuid", 1, true)) then return false end
  outofproc.dissector(tvb, pinfo, tree)
  pinfo.conversation = outofproc
  return true
end
outofproc:register_heuristic("tcp", looks_like_packets)
DissectorTable.get("tcp.port"):add_for_decode_as(outofproc)
