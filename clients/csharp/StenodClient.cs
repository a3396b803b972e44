// A client of stenod's live door for .NET (Core 2.1 and newer, Framework 4.5 and newer) and Mono. One file, no packages.
//
//     using (var client = await StenodClient.ConnectAsync(new Uri("ws://localhost:8000/ws"))) {
//         await client.SendAsync(samples);              // 16-bit samples, mono, 16 kHz
//         await client.EndAsync();
//         StenodFrame frame;
//         while ((frame = await client.ReceiveAsync()) != null) Console.WriteLine(frame.Type + " " + frame.Text);
//     }
//
// One task may send while another receives. A lost connection is an exception: this client does not resume.

using System;
using System.IO;
using System.Net.WebSockets;
using System.Runtime.Serialization;
using System.Runtime.Serialization.Json;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

/// <summary>One word with its times, in seconds of the stream.</summary>
[DataContract]
public sealed class StenodWord
{
    [DataMember(Name = "word")] public string Text { get; set; }
    [DataMember(Name = "start")] public double Start { get; set; }
    [DataMember(Name = "end")] public double End { get; set; }
    [DataMember(Name = "confidence")] public double? Confidence { get; set; }
}

/// <summary>What the server says. Which fields are there depends on the type: partial, final, reset, pong, ended.</summary>
[DataContract]
public sealed class StenodFrame
{
    [DataMember(Name = "type")] public string Type { get; set; }
    [DataMember(Name = "utterance")] public int Utterance { get; set; }
    [DataMember(Name = "text")] public string Text { get; set; }
    [DataMember(Name = "stable_text")] public string StableText { get; set; }
    [DataMember(Name = "start")] public double Start { get; set; }
    [DataMember(Name = "end")] public double End { get; set; }
    [DataMember(Name = "cause")] public string Cause { get; set; }
    [DataMember(Name = "words")] public StenodWord[] Words { get; set; }
    [DataMember(Name = "seconds")] public double Seconds { get; set; }
    [DataMember(Name = "code")] public string Code { get; set; }
    [DataMember(Name = "message")] public string Message { get; set; }
}

/// <summary>The server refused something, or closed the connection before it was done.</summary>
public sealed class StenodException : Exception
{
    public StenodException(string message) : base(message) { }
}

/// <summary>One stream of audio to a server.</summary>
public sealed class StenodClient : IDisposable
{
    const int Chunk = 3200; // bytes in a message: a tenth of a second
    static readonly DataContractJsonSerializer Json = new DataContractJsonSerializer(typeof(StenodFrame));

    readonly ClientWebSocket socket = new ClientWebSocket();
    bool ended;

    StenodClient() { }

    /// <summary>Connect. The query of the address says how to work: sample_rate, language, partials, ...</summary>
    public static async Task<StenodClient> ConnectAsync(Uri address, string token = null, CancellationToken cancel = default(CancellationToken))
    {
        var client = new StenodClient();
        if (token != null) client.socket.Options.SetRequestHeader("Authorization", "Bearer " + token);
        await client.socket.ConnectAsync(address, cancel);
        return client;
    }

    /// <summary>Send samples.</summary>
    public Task SendAsync(short[] samples, CancellationToken cancel = default(CancellationToken))
    {
        var bytes = new byte[2 * samples.Length];
        for (var at = 0; at < samples.Length; at++)
        {
            bytes[2 * at] = (byte)samples[at];
            bytes[2 * at + 1] = (byte)(samples[at] >> 8);
        }
        return SendAsync(bytes, cancel);
    }

    /// <summary>Send samples as bytes, little-endian, cut anywhere.</summary>
    public async Task SendAsync(byte[] audio, CancellationToken cancel = default(CancellationToken))
    {
        for (var at = 0; at < audio.Length; at += Chunk)
        {
            var part = new ArraySegment<byte>(audio, at, Math.Min(Chunk, audio.Length - at));
            await socket.SendAsync(part, WebSocketMessageType.Binary, true, cancel);
        }
    }

    /// <summary>End the utterance here: its final follows.</summary>
    public Task CommitAsync(CancellationToken cancel = default(CancellationToken)) { return SayAsync("commit", cancel); }

    /// <summary>Forget the open utterance.</summary>
    public Task ResetAsync(CancellationToken cancel = default(CancellationToken)) { return SayAsync("reset", cancel); }

    /// <summary>All audio is sent: the last finals follow, then a frame of the type ended, then null.</summary>
    public Task EndAsync(CancellationToken cancel = default(CancellationToken)) { return SayAsync("end", cancel); }

    /// <summary>The next frame, or null after the last one. Throws StenodException for an error of the server.</summary>
    public async Task<StenodFrame> ReceiveAsync(CancellationToken cancel = default(CancellationToken))
    {
        if (ended) return null;
        var buffer = new ArraySegment<byte>(new byte[8192]);
        using (var message = new MemoryStream())
        {
            WebSocketReceiveResult part;
            do
            {
                part = await socket.ReceiveAsync(buffer, cancel);
                if (part.MessageType == WebSocketMessageType.Close)
                    throw new StenodException("the server left before it was done: " + (part.CloseStatusDescription ?? part.CloseStatus.ToString()));
                message.Write(buffer.Array, 0, part.Count);
            } while (!part.EndOfMessage);
            message.Position = 0;
            var frame = (StenodFrame)Json.ReadObject(message);
            if (frame.Type == "error") throw new StenodException(frame.Message);
            ended = frame.Type == "ended";
            return frame;
        }
    }

    /// <summary>Leave. What was not received is not heard of.</summary>
    public void Dispose() { socket.Dispose(); }

    Task SayAsync(string type, CancellationToken cancel)
    {
        var text = Encoding.UTF8.GetBytes("{\"type\":\"" + type + "\"}");
        return socket.SendAsync(new ArraySegment<byte>(text), WebSocketMessageType.Text, true, cancel);
    }
}
