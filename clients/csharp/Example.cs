// Example ADDRESS FILE: streams a raw file of 16-bit samples (mono, 16 kHz) and prints what is said in it.
// With Mono: mcs -r:System.Runtime.Serialization StenodClient.cs Example.cs && mono StenodClient.exe ws://localhost:8000/ws FILE

using System;
using System.IO;
using System.Threading.Tasks;

static class Example
{
    static int Main(string[] arguments)
    {
        try
        {
            RunAsync(new Uri(arguments[0]), File.ReadAllBytes(arguments[1])).GetAwaiter().GetResult();
            return 0;
        }
        catch (Exception error)
        {
            Console.Error.WriteLine(error.Message);
            return 1;
        }
    }

    static async Task RunAsync(Uri address, byte[] audio)
    {
        using (var client = await StenodClient.ConnectAsync(address))
        {
            var sending = SpeakAsync(client, audio);
            StenodFrame frame;
            while ((frame = await client.ReceiveAsync()) != null)
            {
                if (frame.Type == "partial") Console.Error.WriteLine("~ " + frame.Text);
                if (frame.Type == "final" && frame.Text != "") Console.WriteLine(frame.Text);
            }
            await sending;
        }
    }

    static async Task SpeakAsync(StenodClient client, byte[] audio)
    {
        await client.SendAsync(audio);
        await client.EndAsync();
    }
}
