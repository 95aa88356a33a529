import java.nio.file.*;
import java.util.*;
import java.util.regex.*;
import org.apache.flink.table.api.*;

/** Runs a file of Flink SQL in this process, as the SQL client does on a cluster: SET, then the statements in turn. */
public class RunSQL {
  public static void main(String[] args) throws Exception {
    String text = Files.readString(Path.of(args[0])).replaceAll("(?m)--.*$", "");
    TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
    Pattern set = Pattern.compile("(?is)SET\\s+'([^']+)'\\s*=\\s*'([^']*)'");
    List<TableResult> jobs = new ArrayList<>();
    for (String statement : text.split(";")) {
      statement = statement.trim();
      Matcher m = set.matcher(statement);
      if (statement.isEmpty()) continue;
      if (m.matches()) {
        tables.getConfig().set(m.group(1), m.group(2));
        continue;
      }
      TableResult result = tables.executeSql(statement);
      if (result.getJobClient().isPresent()) jobs.add(result);
    }
    System.out.println("running");
    for (TableResult job : jobs) job.await();
  }
}
