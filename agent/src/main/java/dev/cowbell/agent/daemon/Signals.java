package dev.cowbell.agent.daemon;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;

/**
 * Lets a service answer signals itself. The JDK's class for that is no part of its specification,
 * and compilers warn of it: so it is looked up by name, in this class alone.
 */
public final class Signals {

  private Signals() {}

  /**
   * Runs {@code action}, on a thread of its own, each time the process gets a signal; what the
   * signal would have done otherwise is not done.
   *
   * @param name such as HUP or TERM
   * @throws IllegalStateException if this Java machine doesn't allow it
   */
  public static void on(String name, Runnable action) {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handler = Class.forName("sun.misc.SignalHandler");
      InvocationHandler act =
          (proxy, method, arguments) ->
              switch (method.getName()) {
                case "handle" -> {
                  action.run();
                  yield null;
                }
                case "equals" ->
                    System.identityHashCode(proxy) == System.identityHashCode(arguments[0]);
                case "hashCode" -> System.identityHashCode(proxy);
                default -> "signal " + name;
              };
      Object instance =
          Proxy.newProxyInstance(handler.getClassLoader(), new Class<?>[] {handler}, act);
      signal
          .getMethod("handle", signal, handler)
          .invoke(null, signal.getConstructor(String.class).newInstance(name), instance);
    } catch (ReflectiveOperationException | IllegalArgumentException e) {
      throw new IllegalStateException("can't answer signal " + name, e);
    }
  }
}
