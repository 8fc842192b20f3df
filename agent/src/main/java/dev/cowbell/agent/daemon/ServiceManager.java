package dev.cowbell.agent.daemon;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells systemd how the service is, as {@code sd_notify(3)} describes: a datagram to the socket
 * that {@code NOTIFY_SOCKET} names. Without one it does nothing. Java has no datagram sockets of
 * that family, so the three system calls are made directly.
 */
public final class ServiceManager {

  private static final Logger LOG = LoggerFactory.getLogger(ServiceManager.class);

  private static final int AF_UNIX = 1;
  private static final int SOCK_DGRAM = 2;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int ADDRESS_PATH = 2;
  private static final int MAX_PATH = 107;

  private final Optional<String> socket;

  /**
   * @param socket what {@code NOTIFY_SOCKET} says; a leading @ stands for an abstract socket
   */
  public ServiceManager(Optional<String> socket) {
    this.socket =
        socket.filter(path ->
            (path.startsWith("/") || path.startsWith("@"))
                && path.getBytes(StandardCharsets.UTF_8).length <= MAX_PATH);
  }

  /** The service is up. */
  public void ready(String status) {
    send("READY=1\nSTATUS=" + status);
  }

  /** The service reads its configuration again; {@link #ready} says that it has. */
  public void reloading() {
    send("RELOADING=1\nMONOTONIC_USEC=" + System.nanoTime() / 1000);
  }

  /**
   * The service stops, and may take so long.
   *
   * @param seconds how long runs may take to finish
   */
  public void stopping(long seconds) {
    send("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + (seconds + 10) * 1_000_000);
  }

  private void send(String state) {
    if (socket.isEmpty()) {
      return;
    }
    try {
      Native.send(socket.get(), state.replaceAll("[\\r]", " "));
    } catch (IOException e) {
      LOG.warn("the service manager could not be told: {}", e.getMessage());
    }
  }

  /** Looked up only where there is a service manager. */
  private static final class Native {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle SOCKET =
        function(
            "socket",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT));
    private static final MethodHandle SENDTO =
        function(
            "sendto",
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT));
    private static final MethodHandle CLOSE =
        function("close", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

    @SuppressWarnings("restricted") // names and signatures are those of the C library
    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
      return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), descriptor);
    }

    static void send(String path, String state) throws IOException {
      byte[] name = path.getBytes(StandardCharsets.UTF_8);
      byte[] text = state.getBytes(StandardCharsets.UTF_8);
      try (Arena arena = Arena.ofConfined()) {
        int length = ADDRESS_PATH + name.length;
        MemorySegment address = arena.allocate(length + 1);
        address.set(ValueLayout.JAVA_SHORT, 0, (short) AF_UNIX);
        MemorySegment.copy(name, 0, address, ValueLayout.JAVA_BYTE, ADDRESS_PATH, name.length);
        boolean isAbstract = name[0] == '@';
        if (isAbstract) {
          address.set(ValueLayout.JAVA_BYTE, ADDRESS_PATH, (byte) 0);
        }
        MemorySegment message = arena.allocate(text.length);
        MemorySegment.copy(text, 0, message, ValueLayout.JAVA_BYTE, 0, text.length);
        int fd = (int) SOCKET.invokeExact(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0) {
          throw new IOException("no socket could be made");
        }
        long sent =
            (long)
                SENDTO.invokeExact(
                    fd,
                    message,
                    (long) text.length,
                    MSG_NOSIGNAL,
                    address,
                    isAbstract ? length : length + 1);
        int _ = (int) CLOSE.invokeExact(fd);
        if (sent != text.length) {
          throw new IOException(path + " takes no message");
        }
      } catch (IOException | Error e) {
        throw e;
      } catch (Throwable e) {
        throw new IOException(e);
      }
    }
  }
}
